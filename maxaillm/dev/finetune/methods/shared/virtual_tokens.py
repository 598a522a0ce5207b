"""Which kinds of models take no virtual tokens: what transformers' classes lack, by their types."""

from __future__ import annotations

ENCODER_DECODERS = frozenset(
    {
        "bart", "bigbird_pegasus", "blenderbot", "blenderbot-small", "encoder-decoder", "fsmt",
        "led", "longt5", "m2m_100", "marian", "mbart", "mt5", "mvp", "nllb-moe", "pegasus",
        "pegasus_x", "plbart", "prophetnet", "switch_transformers", "t5", "t5gemma", "umt5",
    }
)  # fmt: skip
"""They classify a text by its end-of-text token, which has to be among the tokens given: they
refuse embeddings. As classifiers of words they are encoders alone, without a cache."""
WITHOUT_CACHE = frozenset(
    {
        "albert", "convbert", "deberta", "deberta-v2", "distilbert", "esm", "eurobert", "flaubert",
        "fnet", "funnel", "gte", "ibert", "layoutlm", "longformer", "luke", "mobilebert",
        "modernbert", "mpnet", "mra", "nomic_bert", "nystromformer", "perceiver", "reformer",
        "squeezebert", "tapas", "xlm", "yoso",
    }
)  # fmt: skip
"""Encoders that take no keys and values from outside, which is what a prefix is."""


def why_none(task: str, model_type: str, *, as_cache: bool) -> str | None:
    """Why a model takes no virtual tokens, given as embeddings or `as_cache`; None: it does."""
    if model_type in ENCODER_DECODERS and task == "sequence_classification":
        return f"a {model_type} that does {task} takes no virtual tokens."
    is_encoder = model_type in ENCODER_DECODERS and task == "token_classification"
    if as_cache and (is_encoder or model_type in WITHOUT_CACHE):
        return f"a {model_type} that does {task} takes no keys and values from outside."
    return None
