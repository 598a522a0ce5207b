"""The trained model that is to be exported: found, checked, opened, merged."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.tuners_utils import BaseTuner
from transformers import (
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
)
from transformers import PreTrainedTokenizerBase as Tokenizer

from maxaillm.dev.finetune.errors import ExportError, ModelError
from maxaillm.dev.finetune.events import RunFolder
from maxaillm.dev.finetune.export_facts import NO_MERGE, ModelFacts
from maxaillm.dev.finetune.hf import loading
from maxaillm.dev.finetune.hf.conv1d import to_conv1d
from maxaillm.dev.finetune.methods import TuneMethod, method_of_adapter
from maxaillm.dev.finetune.model_folder import (
    check_adapter,
    check_folder,
    find_folder,
    is_hub_name,
    is_path,
    read_header,
)

ADAPTER_CONFIG = "adapter_config.json"
AUTO_CLASSES: dict[str, Any] = {
    "causal_lm": AutoModelForCausalLM,
    "seq2seq_lm": AutoModelForSeq2SeqLM,
    "sequence_classification": AutoModelForSequenceClassification,
    "token_classification": AutoModelForTokenClassification,
    "masked_lm": AutoModelForMaskedLM,
}
HEADS = {
    "ForSequenceClassification": "sequence_classification",
    "ForTokenClassification": "token_classification",
    "ForConditionalGeneration": "seq2seq_lm",
    "ForMaskedLM": "masked_lm",
    "ForCausalLM": "causal_lm",
    "LMHeadModel": "causal_lm",
}
PEFT_TASKS = {
    "CAUSAL_LM": "causal_lm",
    "SEQ_2_SEQ_LM": "seq2seq_lm",
    "SEQ_CLS": "sequence_classification",
    "TOKEN_CLS": "token_classification",
}


class Trained:
    """A tuned model: a whole one, or an adapter and its base. It is opened when first asked for,
    in fp32 on the CPU, so that what is compared is the model and not the device."""

    def __init__(self, model: str | Path, base: str | Path | None = None) -> None:
        self.folder = folder_of(model)
        self.is_adapter = (self.folder / ADAPTER_CONFIG).is_file()
        self.adapter = check_adapter(self.folder) if self.is_adapter else {}
        self.run = run_of(self.folder)
        named = self.base_asked_for(base) if self.is_adapter else None
        self.base_folder = folder_of(named) if named is not None else self.folder
        self.config = check_folder(self.base_folder)
        self.base_name = self.public_name(named)
        if "quantization_config" in self.config:
            raise ExportError(
                f"{self.base_folder.name} is stored in fewer bits.",
                "Name its full-precision original as the base: merged into rounded weights, "
                "an adapter would not do what it has learned.",
            )

    def base_asked_for(self, base: str | Path | None) -> str | Path:
        """As told, else by the run that made the adapter, else by the adapter itself."""
        told = base or self.run.get("model", {}).get("name")
        if told:
            return told if isinstance(told, Path) else str(told)
        name = str(self.adapter.get("base_model_name_or_path"))
        if is_hub_name(name) or name.startswith("starter/"):
            return name
        raise ModelError(f"{self.folder.name} does not say its base.", "Name it: base=...")

    def public_name(self, named: str | Path | None) -> str | None:
        """The base's name; of a folder only its last part, which tells nothing private."""
        name = named if named is not None else self.run.get("model", {}).get("name")
        if name is None:
            return None
        private = isinstance(name, Path) or is_path(name)
        return f"./{Path(name).expanduser().resolve().name}" if private else str(name)

    @property
    def task(self) -> str:
        told = PEFT_TASKS.get(str(self.adapter.get("task_type")))
        if told:
            return told
        names = [str(name) for name in self.config.get("architectures") or []]
        for ending, task in HEADS.items():
            if any(name.endswith(ending) for name in names):
                return task
        what = names[0] if names else "a model of no known kind"
        raise ExportError(f"{self.folder.name} is {what}, which has no task.", "Tune it first.")

    @property
    def facts(self) -> ModelFacts:
        return ModelFacts(
            self.task, str(self.config.get("model_type")), self.is_adapter, self.merges
        )

    @property
    def method(self) -> type[TuneMethod] | None:
        """What the adapter was trained with, if it is one of ours."""
        return method_of_adapter(self.adapter.get("peft_type"))

    @property
    def merges(self) -> bool:
        """Of a method that is not known here, merging itself will tell."""
        return self.method is None or self.method.merges

    @cached_property
    def tokenizer(self) -> Tokenizer:
        own = (self.folder / "tokenizer.json").is_file()
        return loading.load_tokenizer(self.folder if own else self.base_folder)

    @cached_property
    def model(self) -> Any:
        model = self.open_base()
        return self.adapted(model, self.folder) if self.is_adapter else model

    def open_base(self) -> Any:
        """The whole model, or the base of an adapter with a head that its weights fit in."""
        return open_model(self.base_folder, self.task, self.head_size)

    def adapted(self, model: Any, adapter: Path) -> Any:
        """A base with an adapter laid on it."""
        if self.method:
            self.method.make_room(model)
        return PeftModel.from_pretrained(model, str(adapter), low_cpu_mem_usage=False).eval()

    @property
    def head_size(self) -> int | None:
        """How many classes an adapter's own head tells apart; None where it brings no head."""
        if not self.is_adapter or "classification" not in self.task:
            return None
        header = read_header(self.folder / "adapter_model.safetensors")
        heads = ("score.weight", "classifier.weight", "out_proj.weight")
        sizes = [entry["shape"][0] for name, entry in header.items() if name.endswith(heads)]
        return int(sizes[-1]) if sizes else None

    def merge(self) -> Any:
        """Make the adapter part of the weights; `model` is the plain model from now on."""
        if not isinstance(self.model, PeftModel):
            return self.model
        if not isinstance(self.model.base_model, BaseTuner):
            raise ExportError(f"The adapter can't be merged. {NO_MERGE}", HOW_TO_ADAPT)
        try:
            merged = self.model.merge_and_unload(safe_merge=True).eval()
        except (NotImplementedError, ValueError) as error:
            reason = loading.first_line(error)
            raise ExportError(f"The adapter can't be merged: {reason}", HOW_TO_ADAPT) from error
        to_conv1d(merged)
        self.model = merged
        return merged

    @property
    def dtype(self) -> str:
        """What the base's weights are stored as, or the tuned model's own."""
        named = str(self.config.get("dtype") or self.config.get("torch_dtype") or "float32")
        return named if named in DTYPES else "float32"

    def forget(self) -> None:
        """Free the model's memory; asked for again, it is opened again."""
        self.__dict__.pop("model", None)


HOW_TO_ADAPT = "Export it in the format adapter, which keeps it beside its base."
DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def open_model(folder: Path, task: str, head_size: int | None = None) -> Any:
    """The model in a checked folder, in fp32 on the CPU, ready to be asked."""
    options = {} if head_size is None else {"num_labels": head_size}
    try:
        model = AUTO_CLASSES[task].from_pretrained(
            folder,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            **options,
        )
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        raise ModelError(
            f"The model in {folder.name} can't be loaded: {loading.first_line(error)}",
            "Check that the folder is whole and that transformers knows this kind of model.",
        ) from error
    return model.eval()


def folder_of(name: str | Path) -> Path:
    """The folder of a path, a starter model or a Hub name, which is fetched if it has to be."""
    named = str(name.resolve()) if isinstance(name, Path) else name
    return find_folder(named) or loading.download(named)


def run_of(folder: Path) -> dict[str, Any]:
    """The configuration of the run that made a model; empty where it did not come from one."""
    path = RunFolder(folder.resolve().parent).config
    if not path.is_file():
        return {}
    content = json.loads(path.read_bytes())
    return content if isinstance(content, dict) else {}
