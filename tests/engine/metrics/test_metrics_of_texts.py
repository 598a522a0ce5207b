"""Figures of answers equal those of the libraries that define them, and SQuAD's by hand."""

from __future__ import annotations

import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from maxaillm.dev.finetune.metrics import Answered, TokenLoss, metrics, score

sentences = st.lists(
    st.sampled_from(["the", "cat", "sat", "on", "a", "mat", ".", "Größe", "3,5", "“so”"]),
    max_size=12,
).map(" ".join)
rows = st.lists(
    st.builds(Answered, sentences, sentences, st.tuples() | st.tuples(sentences)),
    min_size=1,
    max_size=6,
)
EXAMPLES = settings(max_examples=60, deadline=None)


def by_reference(answered: list[Answered]) -> list[list[str | None]]:
    """As sacrebleu takes them: one list a reference, None where a row has fewer."""
    most = max(len(row.references) for row in answered)
    return [[dict(enumerate(row.references)).get(at) for row in answered] for at in range(most)]


@EXAMPLES
@given(rows)
def test_bleu_and_chrf_are_sacrebleus(answered: list[Answered]) -> None:
    answers, references = [row.answer for row in answered], by_reference(answered)
    bleu = sacrebleu.corpus_bleu(answers, references, force=True).score
    chrf = sacrebleu.corpus_chrf(answers, references).score
    assert score(metrics["bleu"](name="bleu"), answered) == pytest.approx(bleu, abs=1e-9)
    assert score(metrics["chrf"](name="chrf"), answered) == pytest.approx(chrf, abs=1e-9)


@EXAMPLES
@given(rows)
@pytest.mark.parametrize("kind", ["rouge1", "rouge2", "rougeL"])
def test_rouge_is_the_mean_of_rouge_score(kind: str, answered: list[Answered]) -> None:
    scorer = RougeScorer([kind])
    kindest = [
        max(scorer.score(reference, row.answer)[kind].fmeasure for reference in row.references)
        for row in answered
    ]
    expected = sum(kindest) / len(kindest)
    assert score(metrics[kind](name=kind), answered) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("answer", "reference", "f1", "exact"),
    [
        ("The cat.", "a cat", 1, 0),
        ("cat sat", "cat", 2 / 3, 0),
        ("cat cat dog", "cat dog bird", 2 / 3, 0),
        ("fish", "bird", 0, 0),
        ("", "the", 1, 0),
        ("", "bird", 0, 0),
        (" bird\n", "bird", 1, 1),
        ("Bird", "bird", 1, 0),
    ],
)
def test_squad_by_hand(answer: str, reference: str, f1: float, exact: float) -> None:
    row = [Answered(answer, reference)]
    assert score(metrics["token_f1"](name="token_f1"), row) == pytest.approx(f1)
    assert score(metrics["exact_match"](name="exact_match"), row) == exact


@pytest.mark.parametrize("name", ["token_f1", "exact_match", "answers_right", "rougeL", "chrf"])
def test_the_kindest_reference_counts(name: str) -> None:
    metric = metrics[name](name=name)
    best = score(metric, [Answered("a blue bird", "a blue bird")])
    assert score(metric, [Answered("a blue bird", "fish", ("a blue bird", "worm"))]) == best


def test_perplexity_weighs_rows_by_their_tokens() -> None:
    perplexity = metrics["perplexity"](name="perplexity")
    rows = [TokenLoss(total=3.0, tokens=1), TokenLoss(total=1.0, tokens=3)]
    assert score(perplexity, rows) == pytest.approx(2.718281828)
    assert score(perplexity, [TokenLoss(1e6, 1)]) == float("inf")
