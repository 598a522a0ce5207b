"""DeepSpeed configurations, checked against their run before anything heavy is loaded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import ConfigError, FineTuneError, Problem

PATH = "training.deepspeed"
AUTO = "auto"
NUMBER, SWITCH, TEXT, SECTION = (int, float), (bool,), (str,), (dict,)
KEYS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(
        [
            "train_batch_size", "train_micro_batch_size_per_gpu", "gradient_accumulation_steps",
            "gradient_clipping", "steps_per_print", "gradient_predivide_factor", "seed",
        ],
        NUMBER,
    ),
    **dict.fromkeys(
        [
            "wall_clock_breakdown", "dump_state", "memory_breakdown", "prescale_gradients",
            "sparse_gradients", "disable_allgather", "zero_allow_untested_optimizer",
            "zero_force_ds_cpu_optimizer", "communication_data_type_check",
        ],
        SWITCH,
    ),
    **dict.fromkeys(
        [
            "zero_optimization", "optimizer", "scheduler", "fp16", "bf16", "amp", "data_types",
            "activation_checkpointing", "aio", "flops_profiler", "comms_logger", "tensorboard",
            "wandb", "csv_monitor", "monitor_config", "checkpoint", "elasticity", "autotuning",
            "compression_training", "data_efficiency", "curriculum_learning", "compile",
            "torch_autocast", "tensor_parallel", "pipeline",
        ],
        SECTION,
    ),
    "communication_data_type": TEXT,
}  # fmt: skip
"""Top-level keys of a configuration (https://www.deepspeed.ai/docs/config-json/)."""
ZERO_KEYS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(
        [
            "stage", "reduce_bucket_size", "allgather_bucket_size", "sub_group_size",
            "stage3_max_live_parameters", "stage3_max_reuse_distance",
            "stage3_prefetch_bucket_size", "stage3_param_persistence_threshold",
            "stage3_model_persistence_threshold", "zero_hpz_partition_size",
        ],
        NUMBER,
    ),
    **dict.fromkeys(
        [
            "overlap_comm", "contiguous_gradients", "reduce_scatter", "allgather_partitions",
            "round_robin_gradients", "load_from_fp32_weights", "elastic_checkpoint",
            "ignore_unused_parameters", "use_multi_rank_bucket_allreduce",
            "stage3_gather_16bit_weights_on_model_save", "zero_quantized_weights",
            "zero_quantized_gradients", "use_all_reduce_for_fetch_params", "mics_shard_size",
        ],
        SWITCH,
    ),
    "offload_optimizer": SECTION,
    "offload_param": SECTION,
}  # fmt: skip
STAGES = (0, 1, 2)
DEVICES = ("none", "cpu")
SHARDED_WEIGHTS = "ZeRO stage 3 spreads the weights themselves, which this version can't train."


def checked(config: RunConfig) -> dict[str, Any] | None:
    """The configuration of the run's DeepSpeed, if it has one, fit to be passed on.

    What it leaves open is left to the run's own options. Raises ConfigError with every mistake,
    FineTuneError where DeepSpeed is not installed.
    """
    given = config.training.deepspeed
    if not given:
        return None
    settings = given if isinstance(given, dict) else read(Path(given))
    problems = [*problems_of(settings), *conflicts(settings, config)]
    if problems:
        raise ConfigError(problems)
    if find_spec("deepspeed") is None:
        raise FineTuneError(
            "training.deepspeed needs DeepSpeed, which is not installed.",
            "Run: pip install deepspeed. Or leave the option out.",
        )
    return {**dict.fromkeys(expected(config), AUTO), **settings}


def read(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise wrong("", "There is no such file.", str(path), "the path of a JSON file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise wrong("", f"It can't be read: {error}.", str(path), "a JSON file") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise wrong(
            "", f"{path.name} is no JSON: {error.msg} at {where}.", str(path), "JSON"
        ) from None
    if not isinstance(settings, dict):
        raise wrong("", f"{path.name} holds no object.", str(path), "a JSON object")
    return settings


def wrong(key: str, message: str, value: Any, allowed: str) -> ConfigError:
    return ConfigError([problem(key, message, value, allowed)])


def problem(key: str, message: str, value: Any, allowed: str) -> Problem:
    return Problem(f"{PATH}.{key}" if key else PATH, message, value, allowed)


def problems_of(settings: Mapping[str, Any]) -> Iterator[Problem]:
    """Unknown keys, values of the wrong kind, and stages that can't be trained."""
    yield from misfits(settings, KEYS, "")
    zero = settings.get("zero_optimization")
    if not isinstance(zero, dict):
        return
    yield from misfits(zero, ZERO_KEYS, "zero_optimization.")
    stage = zero.get("stage", 0)
    if stage not in STAGES:
        message = SHARDED_WEIGHTS if stage == 3 else "There is no such stage."
        yield problem("zero_optimization.stage", message, stage, "0, 1 or 2")
    for name in ("offload_optimizer", "offload_param"):
        device = (zero.get(name) or {}).get("device", "none")
        if device not in DEVICES:
            key = f"zero_optimization.{name}.device"
            yield problem(key, "Nothing can be moved there.", device, " or ".join(DEVICES))


def misfits(
    section: Mapping[str, Any], known: Mapping[str, tuple[type, ...]], at: str
) -> Iterator[Problem]:
    for key, value in section.items():
        if key not in known:
            nearest = get_close_matches(key, known, n=1)
            guess = f" Did you mean {nearest[0]}?" if nearest else ""
            yield problem(at + key, f"DeepSpeed has no such option.{guess}", value, "")
        elif value != AUTO and not fits(value, known[key]):
            kinds = " or ".join(kind.__name__ for kind in known[key])
            yield problem(at + key, "The value is of the wrong kind.", value, f"{kinds} or auto")


def fits(value: Any, kinds: tuple[type, ...]) -> bool:
    """A switch is no number, though Python has it so."""
    return isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))


def expected(config: RunConfig) -> dict[str, Any]:
    """What the run's own options say about what DeepSpeed may be told, too."""
    training = config.training
    size, batches = training.per_device_train_batch_size, training.gradient_accumulation_steps
    return {
        "train_micro_batch_size_per_gpu": size,
        "gradient_accumulation_steps": batches,
        "train_batch_size": size * batches * training.devices,
        "gradient_clipping": training.max_grad_norm,
    }


def conflicts(settings: Mapping[str, Any], config: RunConfig) -> Iterator[Problem]:
    """Options that say something else than the run's own."""
    for key, value in expected(config).items():
        if settings.get(key, AUTO) not in {AUTO, value}:
            message = "It contradicts the run's own options."
            yield problem(key, message, settings[key], f"{value} or auto")
    optimizer = settings.get("optimizer")
    parameters = (optimizer.get("params") or {}) if isinstance(optimizer, dict) else {}
    ours = {"lr": config.learning_rate, "weight_decay": config.training.weight_decay}
    for key, value in ours.items():
        if parameters.get(key, AUTO) not in {AUTO, value}:
            message = "It contradicts the run's own options."
            where = f"optimizer.params.{key}"
            yield problem(where, message, parameters[key], f"{value} or auto")
    for name in ("fp16", "bf16"):
        section = settings.get(name)
        enabled = section.get("enabled", AUTO) if isinstance(section, dict) else AUTO
        asked = config.model.precision
        if enabled is True and asked not in {AUTO, name}:
            message = f"The run's precision is {asked}."
            yield problem(f"{name}.enabled", message, enabled, "auto")
