"""Tasks: what a model can be tuned for. No libraries yet.

Each kind of example says which tasks learn from it (`data/examples/`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from maxaillm.dev.finetune.data.examples import Example, example_kinds


class Task(NamedTuple):
    """A kind of work for a model."""

    label: str
    help: str
    peft_name: str | None
    """PEFT's TaskType."""
    pipeline: str
    """What the Hub calls it in a model's card."""
    packs: bool = False
    """Whether rows may share a sequence, if model and method keep them apart."""
    writes: bool = False
    """Whether its models answer in words of their own."""
    learning_rate_factor: float = 1.0
    """What a method's recommended learning rate is multiplied by."""
    size_exponent: float = 1.0
    """How far that rate rises for small models: the factor for their size is taken to this power.
    `benchmarks/defaults_sweep.py`: where a new head gives classes, one to three times the method's
    rate were best, and ten were too much."""


TASKS: Mapping[str, Task] = {
    "causal_lm": Task(
        "Chat and text",
        "Goes on with a text: chat, instructions, documents. GPT-2, Llama, Qwen, Mistral, ...",
        "CAUSAL_LM",
        "text-generation",
        packs=True,
        writes=True,
    ),
    "seq2seq_lm": Task(
        "Text to text",
        "Turns one text into another: translation, summaries. T5, BART, BlenderBot, ...",
        "SEQ_2_SEQ_LM",
        "text2text-generation",
        packs=True,
        writes=True,
    ),
    "sequence_classification": Task(
        "Classification",
        "Gives a text a class, several classes or a number. BERT, RoBERTa, GPT-2, Llama, ...",
        "SEQ_CLS",
        "text-classification",
        size_exponent=0.5,
    ),
    "token_classification": Task(
        "Token classification",
        "Gives each word a class: names, parts of speech. BERT, RoBERTa, ...",
        "TOKEN_CLS",
        "token-classification",
        size_exponent=0.5,
    ),
    "masked_lm": Task(
        "Masked language model",
        "Learns the language of a field by filling gaps in its texts. BERT, RoBERTa, ...",
        None,
        "fill-mask",
    ),
    "preference": Task(
        "Preference tuning",
        "Learns which of two answers is better. For a model that can answer already.",
        "CAUSAL_LM",
        "text-generation",
        writes=True,
        # It moves a model that is tuned already a little: TRL's scripts take 5e-6 with LoRA and
        # 5e-7 in full. A tenth of the first tuning's (2e-5, 5e-6) is the upper end of usual.
        learning_rate_factor=0.1,
    ),
}
TASK_NAMES: tuple[str, ...] = tuple(TASKS)


def kinds_for(task: str) -> list[type[Example]]:
    """The kinds of examples that a task learns from."""
    return [kind for kind in example_kinds.values() if task in kind.tasks]


def choose_task(kind: type[Example], settings: Mapping[str, Any]) -> str:
    """The task that examples of a kind are for, with the model whose `config.json` is given."""
    fitting = (task for task in kind.tasks if task in MADE_FOR and MADE_FOR[task](settings))
    return next(fitting, list(kind.tasks)[-1])


def may_pack(task: str, settings: Mapping[str, Any]) -> bool:
    """Whether rows may share a sequence, as far as task and `config.json` tell: an encoder-decoder
    model has to know positions by their distance, as T5 does. The opened model is tried out."""
    by_distance = "relative_attention_num_buckets" in settings
    return TASKS[task].packs and (by_distance or task != "seq2seq_lm")


def is_encoder_decoder(settings: Mapping[str, Any]) -> bool:
    return bool(settings.get("is_encoder_decoder")) or any(
        name.endswith("ForConditionalGeneration") for name in architectures(settings)
    )


def is_causal(settings: Mapping[str, Any]) -> bool:
    return any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in architectures(settings))


def architectures(settings: Mapping[str, Any]) -> list[str]:
    named = settings.get("architectures")
    return [str(name) for name in named] if isinstance(named, list) else []


MADE_FOR: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "seq2seq_lm": is_encoder_decoder,
    "causal_lm": is_causal,
}
"""Tasks that the architecture of a model tells."""
