"""What a model can be tuned for: from which examples, judged by what. No libraries yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from maxaillm.dev.finetune.data.formats import (
    Conversation,
    Example,
    Judged,
    Labelled,
    MultiLabelled,
    Preference,
    Scored,
    Tagged,
    Text,
)


class Task(NamedTuple):
    """A kind of work for a model."""

    label: str
    help: str
    peft_name: str | None
    """PEFT's TaskType."""
    pipeline: str
    """What the Hub calls it in a model's card."""
    learns_from: tuple[type[Example], ...]
    metrics: Mapping[type[Example], tuple[str, ...]]
    """What is measured where the user names nothing, by the kind of example."""
    packs: bool = False
    """Whether rows may share a sequence, if model and method keep them apart."""
    learning_rate_factor: float = 1.0
    """What a method's recommended learning rate is multiplied by."""


TASKS: Mapping[str, Task] = {
    "causal_lm": Task(
        "Chat and text",
        "Goes on with a text: chat, instructions, documents. GPT-2, Llama, Qwen, Mistral, ...",
        "CAUSAL_LM",
        "text-generation",
        (Conversation, Text),
        {Conversation: ("perplexity",), Text: ("perplexity",)},
        packs=True,
    ),
    "seq2seq_lm": Task(
        "Text to text",
        "Turns one text into another: translation, summaries. T5, BART, BlenderBot, ...",
        "SEQ_2_SEQ_LM",
        "text2text-generation",
        (Conversation,),
        {Conversation: ("perplexity", "chrf", "exact_match")},
    ),
    "sequence_classification": Task(
        "Classification",
        "Gives a text a class, several classes or a number. BERT, RoBERTa, GPT-2, Llama, ...",
        "SEQ_CLS",
        "text-classification",
        (Labelled, MultiLabelled, Scored),
        {
            Labelled: ("accuracy", "macro_f1"),
            MultiLabelled: ("micro_f1",),
            Scored: ("mae", "pearson"),
        },
    ),
    "token_classification": Task(
        "Token classification",
        "Gives each word a class: names, parts of speech. BERT, RoBERTa, ...",
        "TOKEN_CLS",
        "token-classification",
        (Tagged,),
        {Tagged: ("accuracy", "macro_f1")},
    ),
    "masked_lm": Task(
        "Masked language model",
        "Learns the language of a field by filling gaps in its texts. BERT, RoBERTa, ...",
        None,
        "fill-mask",
        (Text,),
        {Text: ("perplexity",)},
    ),
    "preference": Task(
        "Preference tuning",
        "Learns which of two answers is better. For a model that can answer already.",
        "CAUSAL_LM",
        "text-generation",
        (Preference, Judged),
        {Preference: ("preferred",), Judged: ("preferred",)},
        # It moves a model that is tuned already a little: TRL's scripts take 5e-6 with LoRA and
        # 5e-7 in full. A tenth of the first tuning's (2e-5, 5e-6) is the upper end of usual.
        learning_rate_factor=0.1,
    ),
}
TASK_NAMES: tuple[str, ...] = tuple(TASKS)


def choose_task(kind: type[Example], settings: Mapping[str, Any]) -> str:
    """The task that examples of a kind are for, with the model whose `config.json` is given."""
    serving = [name for name, task in TASKS.items() if kind in task.learns_from]
    if kind is Conversation:
        return "seq2seq_lm" if is_encoder_decoder(settings) else "causal_lm"
    if kind is Text:
        return "causal_lm" if is_causal(settings) else "masked_lm"
    return serving[0]


def is_encoder_decoder(settings: Mapping[str, Any]) -> bool:
    return bool(settings.get("is_encoder_decoder")) or any(
        name.endswith("ForConditionalGeneration") for name in architectures(settings)
    )


def is_causal(settings: Mapping[str, Any]) -> bool:
    return any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in architectures(settings))


def architectures(settings: Mapping[str, Any]) -> list[str]:
    named = settings.get("architectures")
    return [str(name) for name in named] if isinstance(named, list) else []
