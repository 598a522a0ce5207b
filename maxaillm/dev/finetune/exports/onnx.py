"""Export: a graph for onnxruntime, which needs neither torch nor transformers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from maxaillm.dev.finetune.exports import Export, exports, require_installed
from maxaillm.dev.finetune.exports.shared.facts import EXACT, Rounding
from maxaillm.dev.finetune.tasks.names import EVERY_TASK

if TYPE_CHECKING:
    from maxaillm.dev.finetune.exports.shared.parity import Replay
    from maxaillm.dev.finetune.exports.shared.source import Trained


@exports.register
class Onnx(Export):
    """A graph for onnxruntime, in C++, C#, Java or a browser too. Choose it to build the model
    into another program. What writes text keeps its keys and values; a text-to-text model comes
    as an encoder and a decoder that computes its answer anew for each token."""

    label: ClassVar[str] = "ONNX"
    tasks: ClassVar[frozenset[str]] = EVERY_TASK
    usage: ClassVar[str] = "onnxruntime.InferenceSession('model.onnx')"

    name: Literal["onnx"] = "onnx"

    def write(self, trained: Trained, folder: Path) -> Rounding:
        require_installed("onnx", "onnxscript", "onnxruntime", label=self.label)
        from maxaillm.dev.finetune.exports.shared.onnx import write_graphs

        write_graphs(trained, folder)
        return EXACT

    def reload(self, folder: Path, trained: Trained) -> Replay:
        from maxaillm.dev.finetune.exports.shared.onnx import OnnxReplay

        return OnnxReplay(folder, trained)


def export_onnx(model: str | Path, path: str | Path, base: str | Path | None = None) -> Path:
    """Write `model` as the ONNX file `path`, its weights beside it in `path`.data.

    It is replayed like every export, and not written where it differs. A text-to-text model has
    an encoder, too: export that as a folder. Raises ExportError.
    """
    from maxaillm.dev.finetune.exports.shared.export import export_model
    from maxaillm.dev.finetune.exports.shared.onnx import place_graph, require_free

    target = Path(path)
    require_free(target)
    folder = target.with_name(f".{target.name}.folder")
    with place_graph(folder, target):
        export_model(Onnx(), model, folder, base)
    return target
