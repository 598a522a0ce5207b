"""Log probabilities of tokens, taken from a model's scores."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from transformers import PreTrainedTokenizerBase as Tokenizer

from maxaillm.model.logprobs import TokenLogprob, TopLogprob


class TokenWords:
    """The text of each token of a vocabulary, and its bytes. Tokens of byte-level tokenizers may be
    parts of characters: what they stand for is read off the vocabulary."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.known: dict[int, tuple[str, list[int]]] = {}

    def of(self, token: int) -> tuple[str, list[int]]:
        found = self.known.get(token)
        if found is None:
            text = str(self.tokenizer.decode([token]))
            found = self.known[token] = (text, self.bytes_of(token, text))
        return found

    def bytes_of(self, token: int, text: str) -> list[int]:
        if "\N{REPLACEMENT CHARACTER}" in text:
            word = str(self.tokenizer.convert_ids_to_tokens(token))
            if word.startswith("<0x") and word.endswith(">"):
                return [int(word[3:-1], 16)]
            if all(sign in BYTE_OF for sign in word):
                return [BYTE_OF[sign] for sign in word]
        return list(text.encode(errors="replace"))

    def told(self, token: int, logprob: float | None) -> TopLogprob:
        text, data = self.of(token)
        return TopLogprob(token=text, id=token, bytes=data, logprob=logprob)


def byte_signs() -> dict[str, int]:
    """How GPT-2's byte-level tokenizers write bytes: printable ones as they are, others from 256 on
    (Radford et al. 2019, encoder.py)."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in set(shown)]
    signs = {chr(byte): byte for byte in shown}
    return signs | {chr(256 + number): byte for number, byte in enumerate(others)}


BYTE_OF = byte_signs()


def of_tokens(
    words: TokenWords, logits: Tensor, tokens: Sequence[int], count: int
) -> list[TokenLogprob]:
    """Of each token by its row of scores [tokens, vocabulary], with `count` likeliest ones. All
    come from one tensor, so that equal ones are equal to the last bit."""
    rows = logits.float().log_softmax(-1)
    best = rows.topk(count) if count else None
    own = rows[range(len(tokens)), list(tokens)].tolist()
    values = best.values.tolist() if best else [[]] * len(tokens)
    ids = best.indices.tolist() if best else [[]] * len(tokens)
    return [
        TokenLogprob(
            **words.told(token, logprob).model_dump(),
            top=[words.told(id, value) for id, value in zip(top, value_row, strict=True)],
        )
        for token, logprob, top, value_row in zip(tokens, own, ids, values, strict=True)
    ]
