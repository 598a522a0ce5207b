"""Runs, what they tell, the models they make, the chats with those."""

from jobs.models.conversation import Answer, Conversation
from jobs.models.deployment import Deployment, DeploymentKey, RequestLog, UsageDay
from jobs.models.device_account import DeviceAccount
from jobs.models.engine_job import EngineJob, Evaluation, Export
from jobs.models.event import Event
from jobs.models.language_model import LanguageModel
from jobs.models.notification import Notice, NotificationChannel, Occasion
from jobs.models.queue_pause import QueuePause
from jobs.models.run import ACTIVE, ENDED, MOVES, Run, Status, Transition
from jobs.models.run_draft import RunDraft
from jobs.models.run_tag import RunTag

__all__ = [
    "ACTIVE", "ENDED", "MOVES", "Answer", "Conversation", "Deployment", "DeploymentKey",
    "DeviceAccount", "EngineJob", "Evaluation", "Event", "Export", "LanguageModel", "Notice",
    "NotificationChannel", "Occasion", "QueuePause", "RequestLog", "Run", "RunDraft", "RunTag",
    "Status", "Transition", "UsageDay",
]  # fmt: skip
