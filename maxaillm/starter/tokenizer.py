"""The starter models' tokenizer: byte-level BPE of 4,096 tokens, made from their corpus."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from maxaillm.starter.corpus.document import Document

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

VOCABULARY_SIZE = 4096
CONTEXT = 512
PAD, BEGIN, END = "<|pad|>", "<|begin|>", "<|end|>"
ROLES = ("<|system|>", "<|user|>", "<|assistant|>")
CHAT_TEMPLATE = Path(__file__).parent / "chat_template.jinja"


def train_tokenizer(documents: Iterable[Document]) -> PreTrainedTokenizerFast:
    """Learn the vocabulary; every text then begins with ``BEGIN``, every turn ends with ``END``."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        special_tokens=[PAD, BEGIN, END, *ROLES],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts(documents), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A", special_tokens=[(BEGIN, tokenizer.token_to_id(BEGIN))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BEGIN,
        eos_token=END,
        extra_special_tokens=list(ROLES),
        chat_template=CHAT_TEMPLATE.read_text(encoding="utf-8"),
        model_max_length=CONTEXT,
        padding_side="right",
        clean_up_tokenization_spaces=False,
    )


def texts(documents: Iterable[Document]) -> Iterable[str]:
    for document in documents:
        if isinstance(document, str):
            yield document
        else:
            yield from (content for _, content in document)


def encode(tokenizer: PreTrainedTokenizerFast, document: Document) -> list[int]:
    """The tokens of a text with its end, or of a conversation as the chat template writes it.

    What is longer than the model's context is cut.
    """
    if isinstance(document, str):
        return [*tokenizer.encode(document, truncation=True), tokenizer.eos_token_id][:CONTEXT]
    messages = [{"role": role, "content": content} for role, content in document]
    written = tokenizer.apply_chat_template(messages, tokenize=False)
    return list(tokenizer.encode(written, add_special_tokens=False, truncation=True))
