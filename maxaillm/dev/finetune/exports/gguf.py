"""Export: one file for llama.cpp and what is built on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from maxaillm.dev.finetune.errors import ExportError
from maxaillm.dev.finetune.exports import Export, exports, require_installed
from maxaillm.dev.finetune.exports.shared.facts import EXACT, ModelFacts, Rounding
from maxaillm.dev.finetune.exports.shared.gguf_fit import require_known_tokenizer, unfit_settings

if TYPE_CHECKING:
    from maxaillm.dev.finetune.exports.shared.parity import Replay
    from maxaillm.dev.finetune.exports.shared.source import Trained

FILE, MODELFILE = "model.gguf", "Modelfile"
PUBLISHER = "maxft"
ROUNDINGS = {
    "F32": EXACT,
    "F16": Rounding(0.02, "F16 keeps 11 bits of each weight: a step is 0.05 %."),
    "BF16": Rounding(0.1, "BF16 keeps 8 bits of each weight: a step is 0.4 %."),
    "Q8_0": Rounding(0.1, "Q8_0 rounds to 1/127 of the largest of 32 neighbouring weights."),
    "Q5_1": Rounding(0.5, "Q5_1 rounds to 1/31 of the range of 32 neighbouring weights."),
    "Q5_0": Rounding(0.5, "Q5_0 rounds to 1/16 of the largest of 32 neighbouring weights."),
    "Q4_1": Rounding(1.0, "Q4_1 rounds to 1/15 of the range of 32 neighbouring weights."),
    "Q4_0": Rounding(1.0, "Q4_0 rounds to 1/8 of the largest of 32 neighbouring weights."),
}
"""Small models lose the most by rounding: these limits only tell a
loss by rounding from a wrong file, and the report says how much was lost."""


@exports.register
class Gguf(Export):
    """One file with weights and tokenizer, in few bits if wanted. Choose it for llama.cpp,
    Ollama or LM Studio, and for machines without a GPU. A Modelfile for Ollama lies beside it."""

    label: ClassVar[str] = "GGUF"
    tasks: ClassVar[frozenset[str]] = frozenset({"causal_lm", "preference"})
    model_types: ClassVar[frozenset[str] | None] = frozenset({"llama", "mistral", "qwen2"})
    usage: ClassVar[str] = "llama-cli -m model.gguf"

    name: Literal["gguf"] = "gguf"
    type: Literal["F32", "F16", "BF16", "Q8_0", "Q5_1", "Q5_0", "Q4_1", "Q4_0"] = Field(
        "Q8_0",
        title="Type of the weights",
        description="Bits a weight: F32 32, F16 and BF16 16, Q8_0 8.5, Q5_1 6, Q5_0 5.5, Q4_1 5, "
        "Q4_0 4.5. Fewer bits: smaller, faster, less exact. Q8_0 is hardly told from F32. "
        "The parity report has the perplexity of each beside the trained model's.",
    )

    @property
    def rounds(self) -> bool:
        return self.type != "F32"

    def place(self, name: str) -> str:
        """As LM Studio has its models: publisher, model, file."""
        return f"{PUBLISHER}/{name}"

    def refusal(self, facts: ModelFacts) -> str | None:
        if known := super().refusal(facts):
            return known
        if reason := unfit_settings(facts.settings):
            return f"GGUF can't say what this {facts.model_type} does: {reason}."
        try:
            if parts := facts.tokenizer_parts:
                require_known_tokenizer(parts)
        except ExportError as error:
            return error.message
        return None

    def write(self, trained: Trained, folder: Path) -> Rounding:
        require_installed("gguf", label=self.label)
        from maxaillm.dev.finetune.exports.shared.gguf import modelfile, write_gguf

        write_gguf(trained, folder / FILE, self.type)
        (folder / MODELFILE).write_text(modelfile(trained, FILE), encoding="utf-8")
        return ROUNDINGS[self.type]

    def reload(self, folder: Path, trained: Trained) -> Replay:
        from maxaillm.dev.finetune.exports.shared.gguf import GgufReplay

        return GgufReplay(folder / FILE)
