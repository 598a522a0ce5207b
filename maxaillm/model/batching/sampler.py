"""Drawing the next token of each answer of a batch, each by its own options and random numbers.

The arithmetic is that of transformers' `generate`: penalties, then temperature, top-k and top-p.
With a seed an answer is the one that `generate` gives after `set_seed`, whoever else is answered:
the way is chosen by the request's options alone, never by what others ask.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from maxaillm.model.batching.structure import Matcher
from maxaillm.model.sampling import SamplingOptions

CANDIDATES = 512
"""Of answers without a seed only so many likeliest tokens are sorted, where they suffice."""


class Sampler:
    """Chooses the tokens of one answer."""

    def __init__(
        self,
        options: SamplingOptions,
        prompt: Iterable[int],
        matcher: Matcher | None = None,
        device: str = "cpu",
    ) -> None:
        self.options, self.matcher = options, matcher
        self.made: Counter[int] = Counter()
        self.seen = set(prompt) if options.repetition_penalty != 1 else set()
        self.generator = torch.Generator(device)
        if options.seed is None:
            self.generator.seed()
        else:
            self.generator.manual_seed(options.seed)

    @property
    def is_plain(self) -> bool:
        """Whether the likeliest token is taken, as the model says it."""
        options = self.options
        bends = options.repetition_penalty != 1 or options.logit_bias or self.matcher
        return options.temperature <= 0 and not bends and not self.counts

    @property
    def counts(self) -> bool:
        return bool(self.options.frequency_penalty or self.options.presence_penalty)

    def choose(self, logits: Tensor) -> int:
        """The next token by its scores [vocabulary], of which nothing is changed."""
        scores = self.bent(logits.float())
        if self.options.temperature <= 0:
            return int(scores.argmax())
        scores = scores / self.options.temperature
        if self.options.seed is None and len(scores) > CANDIDATES:
            return self.drawn_quickly(scores)
        shares = self.shares(scores)
        return int(torch.multinomial(shares, 1, generator=self.generator))

    def shares(self, scores: Tensor) -> Tensor:
        """How likely each token is drawn, by scores after the temperature."""
        return top_p(top_k(scores, self.options.top_k), self.options.top_p).softmax(-1)

    def note(self, token: int) -> bool:
        """Remember what was chosen. False where the structure asked for is complete."""
        if self.counts:
            self.made[token] += 1
        if self.options.repetition_penalty != 1:
            self.seen.add(token)
        return self.matcher is None or self.matcher.take(token)

    def drawn_quickly(self, scores: Tensor) -> int:
        """The same distribution without sorting a vocabulary, nor a random number for each."""
        best = min(CANDIDATES, self.options.top_k or CANDIDATES)
        values, ids = scores.topk(best)
        if self.options.top_k is None or self.options.top_k > best:
            total = scores.logsumexp(-1)
            if self.options.top_p == 1 or (values - total).exp().sum() < self.options.top_p:
                return self.inverted(self.shares(scores))
            shares = (values - total).exp()
        else:
            shares = values.softmax(-1)
        before = shares.cumsum(-1) - shares
        shares = shares.masked_fill(before >= self.options.top_p, 0)
        return int(ids[self.inverted(shares)])

    def inverted(self, shares: Tensor) -> int:
        """By the inverse of the distribution function: one random number."""
        reached = shares.double().cumsum(-1)
        drawn = torch.rand(1, generator=self.generator, dtype=torch.double, device=reached.device)
        place = int(torch.searchsorted(reached, drawn * reached[-1], right=True))
        return min(place, int(shares.nonzero()[-1]))

    def bent(self, scores: Tensor) -> Tensor:
        """Scores after penalties, bias and the structure that is asked for."""
        options = self.options
        if not (self.seen or self.made or options.logit_bias or self.matcher):
            return scores
        scores = scores.clone()
        if self.seen:
            ids = torch.tensor(sorted(self.seen), device=scores.device)
            old = scores[ids]
            penalty = options.repetition_penalty
            scores[ids] = torch.where(old < 0, old * penalty, old / penalty)
        if self.made:
            ids = torch.tensor(list(self.made), device=scores.device)
            counts = torch.tensor(list(self.made.values()), device=scores.device)
            scores[ids] = scores[ids] - options.frequency_penalty * counts
            scores[ids] -= options.presence_penalty
        return self.held(scores)

    def held(self, scores: Tensor) -> Tensor:
        known = {id: by for id, by in self.options.logit_bias.items() if id < len(scores)}
        if known:
            ids = torch.tensor(list(known), device=scores.device)
            scores[ids] += torch.tensor(
                list(known.values()), dtype=scores.dtype, device=scores.device
            )
        if self.matcher:
            allowed = torch.from_numpy(self.matcher.allowed()).to(scores.device)
            scores.masked_fill_(~allowed, float("-inf"))
        return scores


def top_k(scores: Tensor, count: int | None) -> Tensor:
    if count is None:
        return scores
    least = scores.topk(min(count, len(scores))).values[-1]
    return scores.masked_fill(scores < least, float("-inf"))


def top_p(scores: Tensor, share: float) -> Tensor:
    if share >= 1:
        return scores
    ordered, ids = scores.sort()
    dropped = ordered.softmax(-1).cumsum(-1) <= 1 - share
    dropped[-1] = False
    return scores.masked_fill(dropped.scatter(0, ids, dropped), float("-inf"))


def likeliest(logits: Tensor) -> list[int]:
    """Of each row [rows, vocabulary] the likeliest token. numpy finds the largest of a row ten
    times as fast as torch does on a processor."""
    if logits.device.type != "cpu":
        return [int(token) for token in logits.argmax(-1).tolist()]
    return [int(token) for token in np.argmax(logits.float().numpy(), axis=1)]
