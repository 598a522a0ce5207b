"""Control words of tokenizers in texts: <|end|>, </s>, [INST]."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar, Literal

from maxaillm.dev.finetune.data.analysis.text_search import first_of_each_row, hits
from maxaillm.dev.finetune.data.checks import Batch, Check, Issue, checks

WORDS = (
    r"<\|[A-Za-z][\w.:/-]{0,40}\|>"  # Llama 3, Qwen, Phi, GPT
    r"|<\x{ff5c}[^<>\n]{1,40}\x{ff5c}>"  # DeepSeek
    r"|</?s>|<(?:bos|eos|pad|unk|mask)>|<(?:start|end)_of_turn>|<extra_id_\d{1,3}>"
    r"|\[/?INST\]|<</?SYS>>|\[(?:CLS|SEP|PAD|MASK|UNK|BOS|EOS)\]"
)
"""As RE2 reads it, which looks at a whole batch at once."""
WORD = re.compile(WORDS.replace(r"\x{ff5c}", "\uff5c"))


@checks.register
class ControlWords(Check):
    label: ClassVar[str] = "Control words of a tokenizer"
    why: ClassVar[str] = (
        "They mark for a model where turns begin and end; in a text they are text, unless a run "
        "says otherwise."
    )
    advice: ClassVar[str] = (
        "Take out what a template has left; marks that are meant need data.control_words: tokens."
    )
    fix: ClassVar[str | None] = "replace_text"

    name: Literal["control_words"] = "control_words"

    def see(self, batch: Batch) -> Iterator[Issue]:
        for row, (word, around) in first_of_each_row(hits(batch, WORDS), word_in):
            yield Issue(batch.numbers[row], f"A text holds the control word {word}.", around)


def word_in(text: str) -> tuple[str, str] | None:
    match = WORD.search(text)
    return match and (match[0], text[max(0, match.start() - 60) : match.end() + 60])
