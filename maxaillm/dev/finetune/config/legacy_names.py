"""Legacy names: arguments of TrainingArguments, of this and older versions, in one table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from maxaillm.dev.finetune.config.training import TrainingSection
from maxaillm.dev.finetune.trackers import trackers

LEAVE = object()
"""A value that leaves the option as it is."""


class Setting(NamedTuple):
    """Where an argument stands in RunConfig, how its value is written there, what to say."""

    path: str
    value: Callable[[Any], Any] | None = None
    note: str = ""


def same(section: str, *names: str) -> dict[str, Setting]:
    return {name: Setting(f"{section}.{name}") for name in names}


def only_if(wanted: Any, then: Any) -> Callable[[Any], Any]:
    """`then` where the value is `wanted`, else nothing."""
    return lambda value: then if value == wanted else LEAVE


def positive(value: Any) -> Any:
    """max_steps=-1 says that the epochs count."""
    return value if int(value) > 0 else LEAVE


def metric_name(value: Any) -> str:
    """The Trainer writes eval_ before every metric; here only the loss is called so."""
    name = str(value).removeprefix("eval_")
    return "eval_loss" if name == "loss" else name


def smoothing(value: Any) -> Any:
    if not float(value):
        return LEAVE
    return {"name": "label_smoothing", "epsilon": float(value)}


def tracker_names(value: Any) -> Any:
    """One name or several; `all`, `none`, tensorboard and what is not known here are left out."""
    names = [value] if isinstance(value, str) else list(value)
    return [name for name in names if name in trackers] or LEAVE


RENAMED: dict[str, Setting] = {
    **same("training", *TrainingSection.model_fields),
    **same("data", "dataloader_num_workers", "dataloader_pin_memory"),
    "metric_for_best_model": Setting("training.metric_for_best_model", metric_name),
    "ddp_find_unused_parameters": Setting(
        "training.ddp_find_unused_parameters",
        note="it makes no difference: unused parameters need no search here.",
    ),
    "report_to": Setting(
        "training.report_to",
        tracker_names,
        "the curves go to the run's journal and to TensorBoard's files, and to trackers by name.",
    ),
    "max_steps": Setting("training.max_steps", positive),
    "evaluation_strategy": Setting("training.eval_strategy"),
    "gradient_checkpointing": Setting("model.gradient_checkpointing"),
    "activation_checkpointing": Setting("model.gradient_checkpointing"),
    "fp16": Setting("model.precision", only_if(True, "fp16")),
    "bf16": Setting("model.precision", only_if(True, "bf16")),
    "torch_compile": Setting("model.compile"),
    "label_smoothing_factor": Setting("training.loss", smoothing),
    "adafactor": Setting("training.optim", only_if(True, "adafactor")),
}  # fmt: skip
"""Arguments that have a place in RunConfig."""

DROPPED: dict[str, str] = {
    "per_device_eval_batch_size": "evaluation uses the training batch size.",
    "per_gpu_train_batch_size": "set per_device_train_batch_size.",
    "per_gpu_eval_batch_size": "evaluation uses the training batch size.",
    "logging_dir": "the journal of the run lies in output_dir; no TensorBoard is needed.",
    "fp16_opt_level": "levels are NVIDIA Apex's; torch has automatic mixed precision.",
    "fp16_backend": "torch's own is used.",
    "half_precision_backend": "torch's own is used.",
    "group_by_length": "rows are packed, or sorted by length, always.",
    "remove_unused_columns": "only the columns that the format names are read.",
    "overwrite_output_dir": "a finished model is replaced whole, never mixed with an older one.",
    "save_safetensors": "models are always saved as safetensors.",
    "no_cuda": "the device is chosen by what there is.",
    "use_cpu": "the device is chosen by what there is.",
    "push_to_hub": "nothing is sent anywhere; upload the saved folder.",
    "hub_model_id": "nothing is sent anywhere; upload the saved folder.",
    "disable_tqdm": "progress is one line on a terminal, JSON elsewhere.",
    "tf32": "torch's own setting counts.",
}
"""Arguments without a counterpart, and why none is needed."""

IGNORED: frozenset[str] = frozenset({"do_train", "do_eval", "run_name", "logging_strategy"})
"""Arguments that change nothing here; nobody needs to be told."""
