"""Runs an ONNX export with onnxruntime alone: no torch is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
MODEL, ENCODER = "model.onnx", "encoder.onnx"
PAST, PRESENT = "input.past_key_values", "output.past_key_values"
HIDDEN = "encoder_outputs.last_hidden_state"


class OnnxModel:
    """The graph of a model: one that writes text, with its cache of keys and values, or one that
    judges text. All arrays have a batch of one. `path` is the file."""

    def __init__(self, path: str | Path, threads: int = 0) -> None:
        self.session = open_session(Path(path), threads)
        self.inputs = {item.name: item.shape for item in self.session.get_inputs()}
        self.outputs = [item.name for item in self.session.get_outputs()]
        self.past_names = [name for name in self.inputs if name.startswith(PAST)]

    def logits(self, ids: Sequence[int]) -> Array:
        """[tokens, vocabulary] of a language model, [classes] of a classifier."""
        output, _ = self.step(ids, self.empty_past())
        return output

    def step(self, ids: Sequence[int], past: Mapping[str, Array]) -> tuple[Array, dict[str, Array]]:
        """The logits of `ids`, which come after what `past` holds, and the new past."""
        seen = past[self.past_names[0]].shape[2] if self.past_names else 0
        known = {
            "input_ids": np.array([ids], dtype=np.int64),
            "attention_mask": np.ones((1, seen + len(ids)), dtype=np.int64),
            "position_ids": np.arange(seen, seen + len(ids), dtype=np.int64)[None],
        }
        feed = {name: value for name, value in known.items() if name in self.inputs}
        found = run(self.session, {**feed, **past})
        present = {name: found[name.replace(PAST, PRESENT)] for name in self.past_names}
        return found["logits"][0], present

    def empty_past(self) -> dict[str, Array]:
        shapes = {name: self.inputs[name] for name in self.past_names}
        return {
            name: np.zeros((1, int(shape[1]), 0, int(shape[3])), dtype=np.float32)
            for name, shape in shapes.items()
        }

    def greedy(
        self, ids: Sequence[int], max_new_tokens: int, ends: frozenset[int] = frozenset()
    ) -> list[int]:
        """The likeliest way to go on from `ids`; it stops before a token of `ends`."""
        made: list[int] = []
        logits, past = self.step(ids, self.empty_past())
        while len(made) < max_new_tokens:
            token = int(logits[-1].argmax())
            if token in ends:
                break
            made.append(token)
            if len(made) < max_new_tokens:
                logits, past = self.step([token], past)
        return made


class OnnxSeq2Seq:
    """An encoder that reads once, and a decoder that reads what is said so far each time.

    `folder` holds both graphs, `start_token` is what each answer starts with.
    """

    def __init__(self, folder: str | Path, start_token: int, threads: int = 0) -> None:
        self.start_token = start_token
        self.encoder = open_session(Path(folder) / ENCODER, threads)
        self.decoder = open_session(Path(folder) / MODEL, threads)

    def read(self, ids: Sequence[int]) -> dict[str, Array]:
        """What the decoder needs of the text that is read."""
        mask = np.ones((1, len(ids)), dtype=np.int64)
        feed = {"input_ids": np.array([ids], dtype=np.int64), "attention_mask": mask}
        (hidden,) = run(self.encoder, feed).values()
        return {HIDDEN: hidden, "attention_mask": mask}

    def logits(self, ids: Sequence[int], answer: Sequence[int]) -> Array:
        """[answer + 1, vocabulary]: what may come first, and after each token of the answer."""
        return self.say(self.read(ids), answer)

    def say(self, heard: Mapping[str, Array], answer: Sequence[int]) -> Array:
        said = np.array([[self.start_token, *answer]], dtype=np.int64)
        logits: Array = run(self.decoder, {**heard, "decoder_input_ids": said})["logits"][0]
        return logits

    def greedy(
        self, ids: Sequence[int], max_new_tokens: int, ends: frozenset[int] = frozenset()
    ) -> list[int]:
        """The likeliest answer to `ids`; it stops before a token of `ends`."""
        heard, made = self.read(ids), list[int]()
        while len(made) < max_new_tokens:
            token = int(self.say(heard, made)[-1].argmax())
            if token in ends:
                break
            made.append(token)
        return made


def open_session(path: Path, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def run(session: Any, feed: Mapping[str, Array]) -> dict[str, Array]:
    names = [item.name for item in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(feed)), strict=True))
