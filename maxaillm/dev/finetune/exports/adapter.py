"""Export: the adapter alone, for who has its base."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from maxaillm.dev.finetune.exports import Export, exports
from maxaillm.dev.finetune.exports.shared.facts import EXACT, ModelFacts, Rounding
from maxaillm.dev.finetune.tasks.names import EVERY_TASK

if TYPE_CHECKING:
    from maxaillm.dev.finetune.exports.shared.parity import Replay
    from maxaillm.dev.finetune.exports.shared.source import Trained

WEIGHTS, SETTINGS = "adapter_model.safetensors", "adapter_config.json"


@exports.register
class Adapter(Export):
    """A few megabytes that PEFT lays on the base. Choose it where the base is at hand, or where
    several adapters share one base."""

    label: ClassVar[str] = "Adapter"
    tasks: ClassVar[frozenset[str]] = EVERY_TASK
    merges: ClassVar[bool] = False
    usage: ClassVar[str] = "PeftModel.from_pretrained(base_model, folder)"

    name: Literal["adapter"] = "adapter"

    def refusal(self, facts: ModelFacts) -> str | None:
        if not facts.is_adapter:
            return "Every weight of this model was trained: there is no adapter apart from it."
        return super().refusal(facts)

    def write(self, trained: Trained, folder: Path) -> Rounding:
        settings = {**trained.adapter, "base_model_name_or_path": trained.base}
        shutil.copyfile(trained.folder / WEIGHTS, folder / WEIGHTS)
        (folder / SETTINGS).write_text(json.dumps(settings, indent=2), encoding="utf-8")
        trained.tokenizer.save_pretrained(folder)
        return EXACT

    def reload(self, folder: Path, trained: Trained) -> Replay:
        from maxaillm.dev.finetune.exports.shared.parity import TorchReplay
        from maxaillm.dev.finetune.hf import loading

        model = trained.open(trained.source.base, folder)
        return TorchReplay(model, loading.load_tokenizer(folder), trained.task)
