"""A fix that is offered for so many rows changes so many, and none of them for the worse."""

from __future__ import annotations

import pytest
from ftfy.badness import badness
from hypothesis import given, settings
from hypothesis import strategies as st

from maxaillm.dev.finetune.data.analysis.encoding_repair import repaired
from maxaillm.dev.finetune.data.checks import checks
from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.examples.text import Text
from maxaillm.dev.finetune.data.examples.token_labels import TokenLabels
from maxaillm.dev.finetune.data.recipes.recipe import recipe_of
from maxaillm.dev.finetune.data.store.batch import Batch

PIECES = [
    "cafÃ©", "donâ€™t", "Ì¼1.20", "Â£5", "å£1.50", "Ã", "Û÷", "\ufffd", "naïve", "“so”", "\x92",
    "<b>bold</b>", "&amp;", "<br/>", "a < b", "List<String>", "`<b>`", "<div class='x'>", "HTML",
    "def f(x):\n    return x", "jane@example.com", "+49 30 901820", "4539 1488 0343 6467", "1.2.3",
    "word", "two words", "\n\n", "été", "übel",
]  # fmt: skip
texts = st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map(" ".join)


def row_of(kind, text):
    if kind is Text:
        return {"text": text}
    if kind is TokenLabels:
        words = text.split() or ["a"]
        return {"tokens": words, "tags": ["O"] * len(words)}
    turns = [{"role": "user", "content": text}, {"role": "assistant", "content": "Yes."}]
    return {"messages": turns}


def flagged_by(name, batch):
    """The numbers of the rows for which the check offers its fix."""
    check = checks[name].model_validate({})
    issues = [*check.see(batch), *check.conclude()]
    return [issue.row for issue in issues if check.fix_of(issue.code or name) is not None]


@pytest.mark.parametrize("kind", [Text, Conversation, TokenLabels])
@pytest.mark.parametrize("name", ["mojibake", "markup", "personal_data"])
@settings(max_examples=60, deadline=None)
@given(rows=st.lists(texts, min_size=1, max_size=6))
def test_every_row_that_a_fix_is_offered_for_is_changed_by_it(kind, name, rows):
    batch = Batch(kind, range(1, len(rows) + 1), [row_of(kind, text) for text in rows])
    offered = flagged_by(name, batch)
    assert len(offered) == len(set(offered))
    (fix,) = recipe_of([{"name": checks[name].fix}])
    ready = fix.for_rows_of(kind)
    ready.begin(offered)
    changed = [
        number
        for number, example in zip(batch.numbers, batch.examples, strict=True)
        if ready.apply(number, example) is not example
    ]
    assert set(offered) <= set(changed)
    if name == "mojibake":
        assert offered == changed


@settings(max_examples=300, deadline=None)
@given(texts)
def test_a_repair_makes_a_text_better_or_leaves_it(text):
    after = repaired(text)
    assert after == text or badness(after) < badness(text)


@pytest.mark.parametrize("text", ["Ì¼1.20 a minute", "å£1.50", "lost \ufffd here", "naïve “so”"])
def test_what_would_not_get_better_stays(text):
    assert repaired(text) == text
