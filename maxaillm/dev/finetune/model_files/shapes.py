"""A base model by the names and shapes of its weights: which layers it has, without torch."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from maxaillm.dev.finetune.errors import ModelError
from maxaillm.dev.finetune.model_files.embeddings import READ

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Shapes = Mapping[str, tuple[int, ...]]
"""Parameter name -> shape, as read from the headers of safetensors files."""

QUERY = ("q_proj", "query", "q", "q_lin", "query_proj")
KEY = ("k_proj", "key", "k", "k_lin", "key_proj")
VALUE = ("v_proj", "value", "v", "v_lin", "value_proj")
FUSED = ("c_attn", "query_key_value", "qkv_proj", "Wqkv", "in_proj")
"""Query, key and value in one matrix."""
OUT = ("o_proj", "out_proj", "o", "out_lin", "attention.output.dense", "attn.c_proj")
UP = ("up_proj", "gate_proj", "fc1", "wi", "wi_0", "wi_1", "intermediate.dense", "lin1", "c_fc",
      "fc_in", "dense_h_to_4h", "gate_up_proj")  # fmt: skip
DOWN = ("down_proj", "fc2", "wo", "output.dense", "lin2", "mlp.c_proj", "fc_out", "dense_4h_to_h")
ROLES = (QUERY, KEY, VALUE, FUSED, OUT, UP, DOWN)
"""What families of models call the layers that do the same work."""

WIDTH = ("hidden_size", "n_embd", "d_model", "dim")
HEADS = ("num_attention_heads", "n_head", "num_heads", "encoder_attention_heads", "n_heads")
LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "encoder_layers", "num_layers")
"""What families of models call their sizes in `config.json`."""
LARGEST = 2**31
"""No size of a model is larger."""

NOT_ADAPTED = re.compile(
    r"(^|\.)(\w*embed\w*|wte|wpe|shared|relative_attention_bias|\w*norm\w*|gate|router|lm_head|cls"
    r"|score|\w*classifier|classification_head|pooler|vocab_\w+|qa_outputs)(\.|$)"
)
"""Embeddings, norms, routers and heads: two-dimensional weights that stay as they are."""
HEAD = re.compile(r"(^|\.)(lm_head|embed_out)$")
HEAD_BIAS = re.compile(
    r"(^|\.)(lm_head|embed_out|vocab_projector|cls\.predictions(\.decoder)?)\.bias$"
)
CONV1D_FAMILIES = {"gpt2", "openai-gpt", "decision_transformer", "imagegpt", "clvp"}
"""Their linear layers hold the weight as [inputs, outputs]."""


class Layer(NamedTuple):
    """A linear layer."""

    name: str
    inputs: int
    outputs: int


class Targets(NamedTuple):
    """Names of layers as the model has them, and which names asked for stand for others."""

    names: list[str]
    renamed: dict[str, list[str]]


class ModelShapes(NamedTuple):
    """What the files of a model say of it: the shapes of its weights and its `config.json`."""

    shapes: Shapes
    settings: Mapping[str, Any]

    @classmethod
    def of(cls, model: PreTrainedModel) -> ModelShapes:
        """Of a model in memory, as its files would have it: a quantized layer's weight is packed,
        and a Conv1D becomes a linear layer then."""
        named = model.named_parameters(remove_duplicate=False)
        shapes = {name: tuple(p.shape) for name, p in named}
        settings = model.config.to_dict()
        turned = settings.get("model_type") in CONV1D_FAMILIES
        for name, module in model.named_modules():
            if f"{name}.weight" in shapes and hasattr(module, "out_features"):
                widths = (module.out_features, module.in_features)
                shapes[f"{name}.weight"] = widths[::-1] if turned else widths
        return cls(shapes, settings)

    @property
    def model_type(self) -> str:
        return str(self.settings.get("model_type", ""))

    @property
    def ties_embeddings(self) -> bool:
        """Whether tokens are written by the same weights by which they are read."""
        named = self.settings.get("tie_word_embeddings")
        if isinstance(named, bool):
            return named
        return not any(HEAD.search(name.removesuffix(".weight")) for name in self.shapes)

    def token_tables(self) -> list[str]:
        """The layers with a row for each token: what reads, and what writes by its own weights."""
        layers = [name.removesuffix(".weight") for name in self.shapes if name.endswith(".weight")]
        heads = [] if self.ties_embeddings else [name for name in layers if HEAD.search(name)]
        return [*(name for name in layers if is_token_table(name)), *heads]

    @property
    def head_has_bias(self) -> bool:
        """Whether what writes tokens adds a number to each."""
        return any(HEAD_BIAS.search(name) for name in self.shapes)

    def tied(self, wanted: Sequence[str]) -> list[str]:
        """Those of `wanted` that mean weights which another layer has too."""
        if not self.ties_embeddings:
            return []
        return [name for name in wanted if HEAD.search(name) or is_token_table(name)]

    def matrices(self) -> list[Layer]:
        """Everything with a two-dimensional weight."""
        is_conv1d = self.model_type in CONV1D_FAMILIES
        return [
            Layer(name.removesuffix(".weight"), *(shape if is_conv1d else shape[::-1]))
            for name, shape in self.shapes.items()
            if len(shape) == 2 and name.endswith(".weight")
        ]

    def linear_layers(self) -> list[Layer]:
        """The linear layers of the blocks."""
        return [layer for layer in self.matrices() if not NOT_ADAPTED.search(layer.name)]

    def norms(self) -> list[str]:
        """The normalisations: their weights are the vectors of a model."""
        return [
            name.removesuffix(".weight")
            for name, shape in self.shapes.items()
            if len(shape) == 1 and name.endswith(".weight")
        ]

    def having(self, names: Sequence[str]) -> list[str]:
        """Those of `names` that layers of this model have."""
        layers = self.matrices()
        return [name for name in names if any(fits(layer.name, [name]) for layer in layers)]

    def targets(self, wanted: Sequence[str] | None) -> list[Layer]:
        """The layers called `wanted`, as PEFT would find them; by default every linear one."""
        if wanted is None:
            return self.linear_layers()
        names = self.resolve(wanted).names
        return [layer for layer in self.matrices() if fits(layer.name, names)]

    def resolve(self, wanted: Sequence[str]) -> Targets:
        """`wanted` in this model's own names. Raises ModelError where one means nothing here."""
        renamed = {}
        for name in wanted:
            if not self.having([name]):
                renamed[name] = self.same_work(name)
        unknown = [name for name, others in renamed.items() if not others]
        if unknown:
            known = sorted({layer.name.rpartition(".")[2] for layer in self.linear_layers()})
            raise ModelError(
                f"The model has no layer named {', '.join(unknown)}.",
                f"Set tuning.target_modules to some of: {', '.join(known)}; or leave it out.",
            )
        names = [other for name in wanted for other in renamed.get(name, [name])]
        return Targets(list(dict.fromkeys(names)), renamed)

    def same_work(self, name: str) -> list[str]:
        """This model's layers that do what `name` does in other families."""
        role = next((role for role in ROLES if name in role), ())
        found = self.having(role)
        if not found and role in {QUERY, KEY, VALUE}:
            return self.having(FUSED)
        if not found and role == FUSED:
            return self.having([*QUERY, *KEY, *VALUE])
        return found

    def number(self, *names: str, default: int | None = None) -> int:
        """The first of these settings that is a whole number; `default` where none is, or it is 0.

        Raises ModelError without either, and where no model can be of that size.
        """
        name = next((name for name in names if type(self.settings.get(name)) is int), None)
        found = default if name is None else self.settings[name] or default
        if found is None and name is None:
            raise ModelError(
                f"The model's config.json does not say its {names[0]}.",
                "Choose another tuning method, such as lora.",
            )
        if found is None or not 0 < found <= LARGEST:
            raise ModelError(
                f"The model's config.json says {found or 0!r:.40} for its {name}.",
                "Download the model again, or choose another one.",
            )
        return int(found)


def is_token_table(name: str) -> bool:
    return bool(READ.search(f"{name}.weight"))


def fits(module: str, names: Sequence[str]) -> bool:
    """PEFT's rule: a name is a module's whole name or its end after a dot."""
    return any(module == name or module.endswith(f".{name}") for name in names)
