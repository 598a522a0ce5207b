"""Private parts of the libraries that we override, call or change: all of them, as they are now.

A release may change these without a word, and a run would then train something else. The bounds
in pyproject.toml hold the releases that were tested. Where this fails after an update: look at the
code that the failure names, adapt it, write down here what the library has now, widen the bound.
"""

from __future__ import annotations

import ast
import inspect
import tomllib
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from maxaillm.dev.finetune.hf.training.legacy_trainer import Trainer as LegacyTrainer
from maxaillm.dev.finetune.hf.training.trainers.objective import TaskTrainer
from maxaillm.dev.finetune.hf.training.trainers.preference import PreferenceTrainer
from maxaillm.dev.finetune.hf.training.trainers.step import StepTrainer

ROOT = Path(__file__).parents[3]
ENGINE = ROOT / "maxaillm/dev/finetune"
SEARCHED = (
    ENGINE / "hf", ENGINE / "methods", ENGINE / "losses", ENGINE / "metrics", ENGINE / "exports",
    ENGINE / "providers", ROOT / "maxaillm/model",
)  # fmt: skip

STEP, OBJECTIVE = "hf/training/trainers/step.py", "hf/training/trainers/objective.py"
PREFERENCE = "hf/training/trainers/preference.py"
TEXT_SCORES, ADALORA = "metrics/shared/text_scores.py", "methods/adalora.py"
TRAINER, DPO, KTO = "transformers:Trainer", "trl:DPOTrainer", "trl:KTOTrainer"
ORPO, TRL = "trl.experimental.orpo:ORPOTrainer", "trl.trainer.base_trainer:_BaseTrainer"
BLEU, CHRF = "sacrebleu.metrics.bleu:BLEU", "sacrebleu.metrics.chrf:CHRF"
ALLOCATION = "peft.tuners.adalora.layer:RankAllocator"
DATASET = "(self, dataset, processing_class, args, dataset_name)"
CARD = "(self, model_name=None, dataset_name=None, tags=None)"
LOSS = "(self, model, inputs, return_outputs=False, num_items_in_batch=None)"

SIGNATURES: dict[str, tuple[str, str]] = {
    f"{TRAINER}.get_train_dataloader": ("(self)", STEP),
    f"{TRAINER}.create_scheduler": ("(self, num_training_steps, optimizer=None)", STEP),
    f"{TRAINER}.get_batch_samples": ("(self, epoch_iterator, num_batches, device)", STEP),
    f"{TRAINER}.training_step": ("(self, model, inputs, num_items_in_batch=None)", STEP),
    f"{TRAINER}._clip_grad_norm": ("(self, model)", STEP),
    f"{TRAINER}._save_checkpoint": ("(self, model, trial)", STEP),
    f"{TRAINER}._load_from_checkpoint": ("(self, resume_from_checkpoint, model=None)", STEP),
    f"{TRAINER}._load_optimizer_and_scheduler": ("(self, checkpoint)", STEP),
    f"{TRAINER}.compute_loss": (LOSS, OBJECTIVE),
    f"{TRAINER}._get_num_items_in_batch": ("(self, batch_samples, device)", OBJECTIVE),
    f"{TRAINER}._prepare_inputs": ("(self, inputs)", PREFERENCE),
    f"{DPO}.compute_loss": (LOSS, PREFERENCE),
    f"{DPO}.compute_ref_log_probs": ("(self, model, inputs)", PREFERENCE),
    f"{DPO}._prepare_dataset": (DATASET, PREFERENCE),
    f"{DPO}._precompute_ref_logps": ("(self, dataset, name, batch_size)", PREFERENCE),
    f"{KTO}.compute_loss": (LOSS, PREFERENCE),
    f"{KTO}.compute_ref_log_probs": ("(self, model, inputs)", PREFERENCE),
    f"{KTO}._prepare_dataset": (DATASET, PREFERENCE),
    f"{KTO}._precompute_ref_logps": ("(self, dataset, name, batch_size)", PREFERENCE),
    f"{DPO}.training_step": ("(self, *args, **kwargs)", STEP),
    f"{DPO}._save_checkpoint": ("(self, model, trial)", STEP),
    f"{KTO}.training_step": ("(self, *args, **kwargs)", STEP),
    f"{KTO}._save_checkpoint": ("(self, model, trial)", STEP),
    f"{ORPO}.compute_loss": (LOSS, PREFERENCE),
    f"{ORPO}.concatenated_forward": ("(self, model, batch)", PREFERENCE),
    f"{ORPO}.tokenize_row": ("(self, feature, model=None)", PREFERENCE),
    f"{ORPO}._save_checkpoint": ("(self, model, trial)", STEP),
    f"{TRL}.create_model_card": (CARD, PREFERENCE),
    f"{TRL}._send_telemetry": ("(self)", PREFERENCE),
    f"{BLEU}._extract_corpus_statistics": ("(self, hypotheses, references)", TEXT_SCORES),
    f"{BLEU}._compute_score_from_stats": ("(self, stats)", TEXT_SCORES),
    f"{CHRF}._extract_corpus_statistics": ("(self, hypotheses, references)", TEXT_SCORES),
    f"{CHRF}._compute_score_from_stats": ("(self, stats)", TEXT_SCORES),
    "peft.tuners.adalora:AdaLoraModel.update_and_allocate": ("(self, global_step)", ADALORA),
    "accelerate:Accelerator.prepare_model": (
        "(self, model, device_placement=None, evaluation_mode=False)", STEP,
    ),
    "transformers.integrations.sdpa_attention:sdpa_attention_forward": (
        "(module, query, key, value, attention_mask, dropout=0.0, scaling=None, is_causal=None, "
        "position_bias=None, cache=None, **kwargs)",
        "hf/kernels/packed_attention.py",
    ),
    "transformers.masking_utils:sdpa_mask": (
        "(batch_size, q_length, kv_length, q_offset=0, kv_offset=0, mask_function=..., "
        "attention_mask=None, local_size=None, allow_is_causal_skip=True, "
        "allow_is_bidirectional_skip=False, use_vmap=False, device='cpu', **kwargs)",
        "hf/kernels/packed_attention.py",
    ),
    "transformers.utils.chat_template_utils:render_jinja_template": (
        "(conversations, tools=None, documents=None, chat_template=None, "
        "return_assistant_tokens_mask=False, continue_final_message=False, "
        "add_generation_prompt=False, **kwargs)",
        "hf/batches/chat_template.py",
    ),
    "transformers.convert_slow_tokenizer:bytes_to_unicode": ("()", "hf/token_view/text.py"),
    "transformers.generation.streamers:BaseStreamer.put": (
        "(self, value)", "hf/generation/streaming.py",
    ),
    "transformers.exporters.utils:decompose_for_generation": (
        "(model, inputs, generation_config=None, multi_token_decode=False)",
        "exports/shared/onnx.py",
    ),
}  # fmt: skip
"""Of a method or function: its parameters, and where we use it."""

ATTRIBUTES: dict[str, tuple[tuple[str, ...], str]] = {
    "transformers:PreTrainedModel": (("_no_split_modules",), "hf/loading/hardware.py"),
    "transformers:PreTrainedConfig": (
        ("_attn_implementation",), "hf/kernels/packed_attention.py",
    ),
    "transformers:AutoModelForCausalLM": (("_model_mapping",), "hf/training/tasks/__init__.py"),
    "transformers:TrainingArguments": (("_n_gpu",), "hf/training/arguments.py"),
    "torch.nn:Module": (("_buffers",), "hf/training/token_loss.py"),
    TRAINER: (("loss_is_scaled_for_ga",), STEP),
    DPO: (("_metrics",), PREFERENCE),
    KTO: (("_metrics",), PREFERENCE),
    ORPO: (("_stored_metrics",), PREFERENCE),
    ALLOCATION: (("ipt", "exp_avg_ipt", "exp_avg_unc"), ADALORA),
}  # fmt: skip
"""Of a class: attributes that it has, or sets in its methods; and where we use them."""

OUR_OWN = {"_asdict", "_fields", "_replace", "_of_classes", "_interval", "_token_id"}
"""Underscored names that are no library's: NamedTuples', private fields of pydantic, endings."""


def parameters(function: Callable[..., Any]) -> str:
    """A signature without its annotations: `(self, model, *, trial=None)`."""
    signature = inspect.signature(function)
    bare = [
        p.replace(annotation=p.empty, default=... if inspect.isfunction(p.default) else p.default)
        for p in signature.parameters.values()
    ]
    made = str(signature.replace(parameters=bare, return_annotation=signature.empty))
    return made.replace("Ellipsis", "...")


def library(path: str) -> str:
    name = path.partition(":")[0].partition(".")[0]
    return f"{name} {version(name)}"


@pytest.mark.parametrize("path", sorted(SIGNATURES))
def test_a_library_still_has_what_we_call_and_override(path: str) -> None:
    recorded, user = SIGNATURES[path]
    try:
        found = parameters(resolve_name(path))
    except (AttributeError, ImportError) as error:
        pytest.fail(f"{library(path)} has no {path} any more ({error}): look at {user}.")
    assert found == recorded, (
        f"{library(path)}: {path} is now {found}, no longer {recorded}: look at {user}."
    )


@pytest.mark.parametrize("path", sorted(ATTRIBUTES))
def test_a_class_still_has_the_attributes_that_we_use(path: str) -> None:
    names, user = ATTRIBUTES[path]
    cls = resolve_name(path)
    lost = [name for name in names if not hasattr(cls, name) and name not in set_by(cls)]
    assert not lost, f"{library(path)}: {path} has no {', '.join(lost)} any more: look at {user}."


def set_by(cls: type) -> set[str]:
    """The attributes that the methods of a class and of its bases set."""
    sources = [inspect.getsource(base) for base in cls.__mro__ if base is not object]
    nodes = [node for source in sources for node in ast.walk(ast.parse(source))]
    named = (node for node in nodes if isinstance(node, ast.Attribute))
    calls = (node for node in nodes if isinstance(node, ast.Call) and is_setattr(node))
    by_name = {ast.unparse(call.args[0]).strip("'") for call in calls}
    return by_name | {node.attr for node in named if isinstance(node.ctx, ast.Store)}


def is_setattr(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr == "__setattr__"


def private_names() -> Iterator[tuple[str, str]]:
    """Every underscored name that our code reads, sets, defines or imports, and where."""
    for path in (path for folder in SEARCHED for path in sorted(folder.rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for name in names_in(node):
                if name.startswith("_") and not name.startswith("__") and name != "_":
                    yield name, f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"


def names_in(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Attribute):
        return [node.attr]
    if isinstance(node, ast.FunctionDef):
        return [node.name]
    if isinstance(node, ast.ImportFrom):
        return [alias.name for alias in node.names]
    is_name = isinstance(node, ast.Constant) and str(node.value).isidentifier()
    return [str(node.value)] if is_name else []  # for getattr and setattr


def test_the_list_is_whole() -> None:
    """Nobody uses a private name of a library without a line above."""
    listed = {path.rpartition(".")[2] for path in SIGNATURES}
    listed |= {name for names, _ in ATTRIBUTES.values() for name in names}
    unlisted = [f"{place} {name}" for name, place in private_names()
                if name not in listed | OUR_OWN]  # fmt: skip
    assert unlisted == []


def bases_of(cls: type) -> list[type]:
    """The trainers of libraries that a class of ours is, or is mixed into."""
    paths = (TRAINER, DPO, KTO, ORPO) if cls in {StepTrainer, PreferenceTrainer} else (TRAINER,)
    return [resolve_name(path) for path in paths]


@pytest.mark.parametrize("cls", [StepTrainer, TaskTrainer, PreferenceTrainer, LegacyTrainer])
def test_every_method_that_we_override_is_listed(cls: type) -> None:
    """Public ones, too: whether they are called, and with what, is up to the library's loop."""
    overridden = {
        name
        for base in bases_of(cls)
        for name, member in vars(cls).items()
        if inspect.isfunction(member) and not name.startswith("__") and hasattr(base, name)
    }
    assert overridden <= {path.rpartition(".")[2] for path in SIGNATURES}


@pytest.mark.parametrize("name", sorted({library(path).split()[0] for path in SIGNATURES}))
def test_the_bounds_hold_what_is_tested_and_end_before_the_next_release(name: str) -> None:
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    [bounds] = [r.specifier for r in map(Requirement, dependencies) if r.name == name]
    installed = Version(version(name))
    assert installed in bounds
    assert f"{installed.major}.{installed.minor + 1}" not in bounds
