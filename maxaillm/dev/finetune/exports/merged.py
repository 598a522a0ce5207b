"""Export: a whole model in transformers' own form, the adapter merged into it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from maxaillm.dev.finetune.exports import Export, exports
from maxaillm.dev.finetune.exports.shared.facts import EXACT, Rounding
from maxaillm.dev.finetune.tasks.names import EVERY_TASK

if TYPE_CHECKING:
    from maxaillm.dev.finetune.exports.shared.parity import Replay
    from maxaillm.dev.finetune.exports.shared.source import Trained

ROUNDINGS = {
    "float16": Rounding(0.02, "float16 keeps 11 bits of each weight: a step is 0.05 %."),
    "bfloat16": Rounding(0.1, "bfloat16 keeps 8 bits of each weight: a step is 0.4 %."),
}


@exports.register
class Merged(Export):
    """A plain transformers folder that needs no PEFT and no base. Choose it for serving with
    transformers, vLLM or TGI, and to go on tuning from."""

    label: ClassVar[str] = "Hugging Face folder"
    tasks: ClassVar[frozenset[str]] = EVERY_TASK
    usage: ClassVar[str] = "AutoModel….from_pretrained(folder)"

    name: Literal["merged"] = "merged"
    dtype: Literal["as trained", "float32", "bfloat16", "float16"] = Field(
        "as trained",
        title="Precision of the weights",
        description="as trained: as the base is stored. Halves take half the space of float32 "
        "and round each weight.",
    )

    def write(self, trained: Trained, folder: Path) -> Rounding:
        from maxaillm.dev.finetune.exports.shared.source import DTYPES

        model = trained.merge()
        dtype = trained.dtype if self.dtype == "as trained" else self.dtype
        saved = model.state_dict().keys()
        kept = {name: b.clone() for name, b in model.named_buffers() if name not in saved}
        model.to(DTYPES[dtype])
        model.config.use_cache = True
        model.save_pretrained(folder)
        trained.tokenizer.save_pretrained(folder)
        model.float()
        for name, buffer in kept.items():  # what is made anew with each model is never rounded
            model.get_buffer(name).copy_(buffer)
        return ROUNDINGS.get(dtype, EXACT)

    def reload(self, folder: Path, trained: Trained) -> Replay:
        from maxaillm.dev.finetune.exports.shared.parity import TorchReplay
        from maxaillm.dev.finetune.hf import loading

        return TorchReplay(trained.open(folder), loading.load_tokenizer(folder), trained.task)
