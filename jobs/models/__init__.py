"""Runs, what they tell, the models they make, the chats with those."""

from jobs.models.conversation import Answer, Conversation
from jobs.models.engine_job import EngineJob, Evaluation, Export
from jobs.models.event import Event
from jobs.models.language_model import LanguageModel
from jobs.models.run import ACTIVE, ENDED, MOVES, Run, Status, Transition
from jobs.models.run_tag import RunTag
from jobs.models.webhook import Delivery, Webhook

__all__ = [
    "ACTIVE", "ENDED", "MOVES", "Answer", "Conversation", "Delivery", "EngineJob", "Evaluation",
    "Event", "Export", "LanguageModel", "Run", "RunTag", "Status", "Transition", "Webhook",
]  # fmt: skip
