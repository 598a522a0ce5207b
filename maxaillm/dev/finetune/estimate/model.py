"""A model's sizes for an estimate: its layers by any family's names, and the head a task needs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import prod
from typing import Any, NamedTuple

from maxaillm.dev.finetune.model_files.shapes import HEADS, LAYERS, WIDTH, ModelShapes
from maxaillm.dev.finetune.tasks import is_causal, is_encoder_decoder
from maxaillm.dev.finetune.tasks.names import CLASSES

INNER = ("intermediate_size", "n_inner", "d_ff", "encoder_ffn_dim", "hidden_dim", "ffn_dim")
DECODER_LAYERS = ("decoder_layers", "num_decoder_layers")
DROPOUT = ("attention_probs_dropout_prob", "attn_pdrop", "attention_dropout", "dropout_rate")
ACTIVATION = (
    "hidden_act", "hidden_activation", "activation_function", "feed_forward_proj", "activation",
)  # fmt: skip
POSITIONS = ("max_position_embeddings", "n_positions")
"""Of a `config.json`, what families call the same thing."""

COMPOSED = frozenset({"gelu_new", "gated-gelu", "gelu_fast", "gelu_accurate"})
"""Activations that transformers writes in several operations, each of which keeps something."""
GATES = ("gate_proj", "gate_up_proj", "wi_1")
BUFFER = re.compile(r"(^|\.)(final_logits_bias|attn\.(masked_)?bias|inv_freq|position_ids)$")
"""Tensors that files hold and nobody trains."""
LM_HEAD = re.compile(r"(^|\.)(lm_head|vocab_(transform|layer_norm|projector)|cls)\.")
SHARED_HEAD = re.compile(r"(^|\.)lm_head\.weight$")
CLASSIFIER = re.compile(r"(^|\.)(score|\w*classifier|classification_head|pooler)\.")


class Sizes(NamedTuple):
    """What the memory of a model's activations depends on."""

    width: int
    inner: int
    heads: int
    layers: int
    """Blocks; of an encoder-decoder, the encoder's."""
    decoder_layers: int
    """Blocks that attend to an encoder's output; 0 without one."""
    inner_kept: int
    """How many values of the inner width a block keeps of a token."""
    drops_attention: bool
    vocabulary: int

    @classmethod
    def of(cls, base: ModelShapes) -> Sizes:
        """Raises ModelError where `config.json` does not say them."""
        settings = base.settings
        width, layers = base.number(*WIDTH), base.number(*LAYERS)
        decoders = base.number(*DECODER_LAYERS, default=layers)
        operations = 5 if first_of(settings, ACTIVATION) in COMPOSED else 2
        return cls(
            width=width,
            inner=base.number(*INNER, default=4 * width),
            heads=base.number(*HEADS),
            layers=layers,
            decoder_layers=decoders if is_encoder_decoder(settings) else 0,
            inner_kept=operations + 2 * bool(base.having(GATES)),
            drops_attention=bool(first_of(settings, DROPOUT)),
            vocabulary=base.number("vocab_size"),
        )


def first_of(settings: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    """The first of these settings that there is; None without one."""
    return next((settings[name] for name in names if settings.get(name) is not None), None)


def context_of(base: ModelShapes) -> int | None:
    """How many tokens the model can see, where its configuration says so."""
    if not isinstance(found := first_of(base.settings, POSITIONS), int) or found <= 0:
        return None
    has_offset = "roberta" in base.model_type  # positions are counted from after the padding's
    padding = base.settings.get("pad_token_id")
    return found - ((padding if isinstance(padding, int) else 0) + 1) * has_offset


def opened_for(task: str, base: ModelShapes) -> ModelShapes:
    """The weights of the files that a task opens: a classifier leaves the words' head behind, and
    one that shares its weights with the embeddings is none of its own."""
    unused = [BUFFER]
    if task in CLASSES:
        unused.append(LM_HEAD)
    elif base.settings.get("tie_word_embeddings"):
        unused.append(SHARED_HEAD)
    kept = {
        name: shape
        for name, shape in base.shapes.items()
        if not any(part.search(name) for part in unused)
    }
    return base._replace(shapes=kept)


def new_head(task: str, base: ModelShapes, labels: int) -> int:
    """Parameters of the head that is made anew, which every method trains: a linear layer, and
    before it a layer as wide as the model where an encoder judges a whole text."""
    width = base.number(*WIDTH)
    if task == "masked_lm":
        has_head = any(LM_HEAD.search(name) for name in base.shapes)
        return 0 if has_head else width * (width + 3) + base.number("vocab_size")
    if task not in CLASSES:
        return 0
    theirs = {name: shape for name, shape in base.shapes.items() if CLASSIFIER.search(name)}
    if task == "token_classification":
        theirs = {name: shape for name, shape in theirs.items() if "pooler" not in name}
        wanted = labels * (width + 1)
    elif is_causal(base.settings):
        wanted = labels * width
    else:
        wanted = (labels + width) * (width + 1)
    return max(0, wanted - sum(prod(shape) for shape in theirs.values()))
