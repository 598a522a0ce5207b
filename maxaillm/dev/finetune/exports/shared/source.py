"""The trained model that is to be exported: found, checked, opened, merged."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.tuners_utils import BaseTuner
from transformers import PreTrainedTokenizerBase as Tokenizer

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import ExportError, ModelError
from maxaillm.dev.finetune.exports.shared.facts import NO_MERGE, ModelFacts
from maxaillm.dev.finetune.hf import loading
from maxaillm.dev.finetune.hf.loading.vocabulary import fit_vocabulary
from maxaillm.dev.finetune.hf.training.tasks import model_task
from maxaillm.dev.finetune.methods import TuneMethod, method_of_adapter
from maxaillm.dev.finetune.methods.shared.conv1d import to_conv1d
from maxaillm.dev.finetune.model_files.card import ADAPTER_CONFIG
from maxaillm.dev.finetune.model_files.folder import find_folder, is_path, read_json
from maxaillm.dev.finetune.run.events import RunFolder
from maxaillm.model.source import find_source, laid, require_weights

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


class Trained:
    """A tuned model: a whole one, or an adapter and its base. It is opened when first asked for,
    in fp32 on the CPU, so that what is compared is the model and not the device."""

    def __init__(
        self, model: str | Path, base: str | Path | None = None, *, any_base: bool = False
    ) -> None:
        self.source = find_source(model, base, any_base=any_base)
        self.card = self.source.card
        self.folder = self.source.adapter or self.source.base
        self.settings = read_json(self.source.base / "config.json")
        self.adapter = read_json(self.folder / ADAPTER_CONFIG) if self.source.adapter else {}
        self.base = public(self.card.base or str(self.adapter.get("base_model_name_or_path", "")))
        if "quantization_config" in self.settings:
            raise ExportError(
                f"{self.source.base.name} is stored in fewer bits.",
                "Name its full-precision original as the base: merged into rounded weights, "
                "an adapter would not do what it has learned.",
            )

    @property
    def task(self) -> str:
        """The task whose kind of model this is."""
        return self.card.opens_as

    @property
    def facts(self) -> ModelFacts:
        merges = not self.method or self.method.merges
        return ModelFacts(self.card.task, self.settings, bool(self.adapter), merges)

    @property
    def method(self) -> type[TuneMethod] | None:
        """What the adapter was trained with, if it is one of ours."""
        return method_of_adapter(self.adapter.get("peft_type"))

    @property
    def origin(self) -> Path:
        """The folder that the weights came from in the end, whose licence is theirs, too."""
        run = RunFolder(self.folder.resolve().parent).config
        if self.adapter or not run.is_file():
            return self.source.base
        try:
            return find_folder(str(read_json(run).get("model", {}).get("name"))) or self.source.base
        except ModelError:  # it was moved since
            return self.source.base

    @cached_property
    def tokenizer(self) -> Tokenizer:
        own = (self.folder / "tokenizer.json").is_file()
        return loading.load_tokenizer(self.folder if own else self.source.base)

    @cached_property
    def model(self) -> Any:
        return self.open(self.source.base, self.source.adapter)

    def open(self, folder: Path, adapter: Path | None = None) -> Any:
        """A whole model, or a base with an adapter on it, ready to be asked."""
        config = RunConfig.parse({"model": {"name": folder.name}, "task": self.card.task})
        task = model_task(self.task)(config)
        task.recall(self.card)
        opened = loading.load_model(folder, torch.float32, task.auto_class, **task.model_options())
        require_weights(self.source._replace(base=folder, adapter=adapter), opened.fresh)
        fit_vocabulary(opened.model, self.tokenizer)
        task.prepare_model(opened.model, self.tokenizer)
        model: Any = opened.model if adapter is None else laid(opened.model, adapter)
        return model.eval()

    def merge(self) -> Any:
        """Make the adapter part of the weights; `model` is the plain model from now on."""
        if not isinstance(self.model, PeftModel):
            return self.model
        if not isinstance(self.model.base_model, BaseTuner):
            raise ExportError(NO_MERGE, HOW_TO_ADAPT)
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
        named = str(self.settings.get("dtype") or self.settings.get("torch_dtype"))
        return named if named in DTYPES else "float32"

    def forget(self) -> None:
        """Free the model's memory; asked for again, it is opened again."""
        self.__dict__.pop("model", None)


HOW_TO_ADAPT = "Export it in the format adapter, which keeps it beside its base."


def public(name: str) -> str | None:
    """A base's name; of a folder only its last part, which tells nothing private."""
    if not name:
        return None
    return f"./{Path(name).expanduser().resolve().name}" if is_path(name) else name
