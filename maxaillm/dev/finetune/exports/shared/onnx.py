"""Writes a model as ONNX graphs with transformers' own exporter, and reads them again."""

from __future__ import annotations

import io
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from logging import ERROR, getLogger
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers.exporters.exporter_onnx import OnnxConfig, OnnxExporter
from transformers.exporters.utils import decompose_for_generation
from transformers.modeling_outputs import BaseModelOutput

from maxaillm.dev.finetune.errors import ExportError
from maxaillm.dev.finetune.exports.shared.parity import Logits, Replay
from maxaillm.dev.finetune.exports.shared.source import Trained
from maxaillm.dev.finetune.hf import loading
from maxaillm.model.onnx import ENCODER, MODEL, OnnxModel, OnnxSeq2Seq

Graphs = dict[str, tuple[Any, dict[str, Any]]]
"""File name -> (module, inputs to trace it with)."""
CHATTY = ("torch.onnx", "transformers", "torch.fx", "onnxscript", "onnx_ir")


def write_graphs(trained: Trained, folder: Path) -> None:
    """Merge the model and write its graphs, tokenizer and settings."""
    model = trained.merge()
    if model.config.pad_token_id is None:
        model.config.pad_token_id = trained.tokenizer.pad_token_id  # two rows are traced at once
    with quiet():
        for name, (module, inputs) in graphs_of(model, trained.task).items():
            OnnxExporter.save_program(traced(module, inputs), folder / name)
    model.config.save_pretrained(folder)
    if model.can_generate():
        model.generation_config.save_pretrained(folder)
    trained.tokenizer.save_pretrained(folder)


def graphs_of(model: Any, task: str) -> Graphs:
    """What is traced: two rows of six tokens, some of them padding, so that no size is taken for
    fixed."""
    ids = torch.arange(12).reshape(2, 6) % model.config.vocab_size
    mask = torch.ones_like(ids)
    mask[0, :2] = 0
    read = {"input_ids": ids, "attention_mask": mask}
    if task == "causal_lm":
        # the graph that goes on from a past also starts from an empty one
        return {MODEL: decompose_for_generation(model, read, multi_token_decode=True)["decode"]}
    if task == "seq2seq_lm":
        mask[0] = torch.tensor([1, 1, 1, 1, 0, 0])
        encoder = model.get_encoder()
        with torch.no_grad():
            hidden = encoder(**read).last_hidden_state
        said = {
            "decoder_input_ids": ids[:, :3],
            "encoder_outputs": BaseModelOutput(last_hidden_state=hidden),
            "attention_mask": mask,
            "use_cache": False,
        }
        return {ENCODER: (encoder, read), MODEL: (model, said)}
    return {MODEL: (model, read)}


def traced(module: Any, inputs: dict[str, Any]) -> Any:
    try:
        return OnnxExporter().export(module, inputs, OnnxConfig(dynamic=True)).program
    except (RuntimeError, ValueError, TypeError) as error:
        raise ExportError(
            f"This model can't be traced as ONNX: {loading.first_line(error)}",
            "Export it as a Hugging Face folder.",
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Without the libraries' running commentary."""
    loggers = [getLogger(name) for name in CHATTY]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


class OnnxReplay(Replay):
    """The graphs, run by onnxruntime: answers come token by token, with the cache."""

    def __init__(self, folder: Path, trained: Trained) -> None:
        self.task, self.tokenizer = trained.task, loading.load_tokenizer(folder)
        self.model: Any = OnnxModel(folder / MODEL) if self.task != "seq2seq_lm" else None
        if self.task == "seq2seq_lm":
            start = trained.settings.get("decoder_start_token_id")
            self.model = OnnxSeq2Seq(folder, int(start or 0))

    def encode(self, prompt: str) -> list[int]:
        return list(self.tokenizer(prompt).input_ids)

    def logits(self, ids: list[int], answer: list[int]) -> Logits:
        if self.task == "seq2seq_lm":
            return np.asarray(self.model.logits(ids, answer[:-1]))
        read = [*ids, *answer[:-1]] if self.task == "causal_lm" else ids
        return np.atleast_2d(self.model.logits(read))

    def greedy(self, ids: list[int], count: int) -> list[int]:
        if self.task in {"causal_lm", "seq2seq_lm"}:
            return list(self.model.greedy(ids, count))
        return [int(token) for token in self.logits(ids, []).argmax(-1)]


def require_free(target: Path) -> None:
    for path in (target, target.with_name(f"{target.name}.data")):
        if path.exists():
            raise ExportError(f"There is a {path.name} already.", "Name another file.")


@contextmanager
def place_graph(folder: Path, target: Path) -> Iterator[None]:
    """Within, `folder` is made; afterwards its one graph is at `target` and the rest is gone."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        yield
        if (folder / ENCODER).exists():
            raise ExportError(
                "A text-to-text model is two graphs, which don't fit in one file.",
                "Export it as a folder: the format onnx.",
            )
        program = OnnxExporter.load_program(folder / MODEL)
        OnnxExporter.save_program(program, target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
