"""What each fix of texts does, and what it leaves alone."""

from __future__ import annotations

from typing import get_args

import pytest

from maxaillm.dev.finetune.data.analysis.personal_data import KINDS
from maxaillm.dev.finetune.data.examples.classification import Classification
from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.examples.preference import Preference
from maxaillm.dev.finetune.data.examples.text import Text
from maxaillm.dev.finetune.data.examples.token_labels import TokenLabels
from maxaillm.dev.finetune.data.examples.unpaired_preference import UnpairedPreference
from maxaillm.dev.finetune.data.fixes.mask_personal_data import KindName
from maxaillm.dev.finetune.data.recipes.recipe import recipe_of
from maxaillm.dev.finetune.data.store.batch import Batch
from maxaillm.dev.finetune.data.store.changes import with_texts

SAID = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "as an AI"},
    {"role": "assistant", "content": "No, as an AI", "weight": 0.0},
    {"role": "user", "content": "Why?"},
    {"role": "assistant", "content": "As an AI I can't."},
]
TALK = {"messages": SAID}


def fix(name, kind=Conversation, **options):
    made = recipe_of([{"name": name, **options}])[0].for_rows_of(kind)
    made.begin()
    return made


def mended(name, text, **options):
    """The text that the fix makes of `text`; that of a row it left alone is the same object."""
    row = {"text": text}
    after = fix(name, Text, **options).apply(1, row)
    assert (after is row) == (after["text"] == text)
    return after["text"]


@pytest.mark.parametrize(
    ("text", "trimmed"),
    [
        (" \n a b \n", "a b"),
        ("a\n\nb", "a\n\nb"),
        ("a\n \n\t\n\nb", "a\n\nb"),
        ("a\r\n\r\n\r\nb", "a\r\n\nb"),
        ("\ufeffa\u200bb\u2060", "ab"),
        ("\u00a0a\u3000", "a"),
        ("    x = 1\n    y", "x = 1\n    y"),
        ("👩\u200d🔬 می\u200cخواهم", "👩\u200d🔬 می\u200cخواهم"),
    ],
)
def test_trim(text, trimmed):
    assert mended("trim", text) == trimmed


def test_trim_does_only_what_is_asked():
    options = {"outer": False, "blank_lines": False}
    assert mended("trim", " a\u200b \n\n\n\n b ", **options) == " a \n\n\n\n b "


@pytest.mark.parametrize(
    ("text", "repaired"),
    [
        ("cafÃ©", "café"),
        ("donâ€™t", "don’t"),
        ("naïve café “quotes” ﬁne ＡＢ &amp; \x1b[0m\r\n", None),
        ("Größe, 文字, عربي, 👍🏽", None),
        ("", None),
    ],
)
def test_repair_text_touches_encodings_only(text, repaired):
    assert mended("repair_text", text) == (text if repaired is None else repaired)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("<p>One</p><p>Two <b>bold</b></p>", "One\nTwo bold"),
        ("a<br>b<br/><br />c", "a\nb\n\nc"),
        ("<ul><li>a</li>\n<li>b</li></ul>end", "a\nb\nend"),
        ('<a href="x?y=1&z">link</a> &amp; &#39;q&#x27; &nbsp;', "link & 'q' \u00a0"),
        ("x<!-- gone -->y<script>var a = '<b>';</script>z", "xyz"),
        ("left <script> open", "left  open"),
        ("a --> b, a <- b, 1 < 2 > 0, x<y", None),
        ("List<String> and <T> and <name>", None),
        ("AT&T &copy=1 &unknown; R&D", None),
        ("`<b>`\n```\n<p>&amp;</p>\n```\n&lt;b&gt;", "`<b>`\n```\n<p>&amp;</p>\n```\n<b>"),
        ("&amp;lt;", "&lt;"),
        ("Für <i>alle</i> 文", "Für alle 文"),
    ],
)  # fmt: skip
def test_strip_markup(text, plain):
    assert mended("strip_markup", text) == (text if plain is None else plain)


def test_rows_about_markup_stay_as_they_are():
    for text in ("Write <b>HTML</b> for me", "#include <map>\nint a;\nint b;\nreturn a;"):
        assert mended("strip_markup", text) == text
        assert mended("strip_markup", text, leave_code=False) != text


@pytest.mark.parametrize(
    "piece", ["<!--", "<a ", "<script>", "&#", "<p", "```", "`", "<b>", "\n \n", "<\n", "&;\n"]
)
def test_hostile_texts_take_no_longer_than_others(piece):
    """No pattern goes back over what it has seen: this would take hours, not milliseconds."""
    for name in ("strip_markup", "trim"):
        assert isinstance(mended(name, piece * 200_000), str)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Write to jane.roe@uni-bonn.de, now.", "Write to [EMAIL], now."),
        ("Pay with 4539 1488 0343 6467!", "Pay with [CARD]!"),
        ("jane@example.org and 1234", None),
    ],
)
def test_mask_personal_data(text, masked):
    assert mended("mask_personal_data", text) == (text if masked is None else masked)


def test_masks_what_the_check_knows():
    assert list(get_args(KindName)) == [kind.name for kind in KINDS]
    text = "jane.roe@uni-bonn.de 4539 1488 0343 6467"
    assert mended("mask_personal_data", text, kinds=["card"]) == "jane.roe@uni-bonn.de [CARD]"


def contents(row):
    return [turn["content"] for turn in row["messages"]]


def test_replace_text_in_answers_only():
    options = {"find": "as an AI", "replace": "(x)", "ignore_case": True}
    assert contents(fix("replace_text", **options).apply(1, TALK)) == [
        "Be kind.", "(x)", "No, (x)", "Why?", "(x) I can't."
    ]  # fmt: skip
    assert contents(fix("replace_text", **options, only_learned=True).apply(1, TALK)) == [
        "Be kind.", "as an AI", "No, as an AI", "Why?", "(x) I can't."
    ]  # fmt: skip
    assert mended("replace_text", "a.b", find=".", replace=r"\1") == r"a\1b"


def test_system_prompts():
    assert contents(fix("drop_system").apply(1, TALK)) == contents(TALK)[1:]
    assert contents(fix("set_system", prompt="Be brief.").apply(1, TALK))[0] == "Be brief."
    assert fix("set_system", prompt="Be brief.", only_missing=True).apply(1, TALK) is TALK
    bare = fix("drop_system").apply(1, TALK)
    assert contents(fix("set_system", prompt="Hi", only_missing=True).apply(1, bare))[0] == "Hi"
    assert fix("drop_system").apply(1, bare) is bare
    assert fix("set_system", Text, prompt="Hi").apply(1, {"text": "a"}) == {"text": "a"}


def test_an_empty_word_keeps_its_place_beside_its_tag():
    row = {"tokens": ["\u200b", " b "], "tags": ["O", "B-PER"]}
    assert fix("trim", TokenLabels).apply(1, row)["tokens"] == ["\u200b", "b"]
    assert len(TokenLabels.model_validate(fix("trim", TokenLabels).apply(1, row)).tokens) == 2


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        (Conversation, TALK),
        (Text, {"text": "a", "split": "test"}),
        (Classification, {"text": "a", "label": "b", "pair": "c"}),
        (Preference, {"messages": SAID[:2], "chosen": SAID[2:3], "rejected": SAID[4:]}),
        (UnpairedPreference, {"messages": SAID[:2], "completion": SAID[2:3], "desirable": False}),
    ],
)
def test_texts_are_told_as_they_are_read(kind, row):
    assert kind.model_validate(row)
    told = []
    assert with_texts(kind, row, lambda piece: told.append(piece) or piece.text) is row
    assert told == list(kind.pieces_of(row)) != []
    texts = Batch(kind, [1], [row]).texts
    columns = (texts.values.to_pylist(), texts.parts.to_pylist(), texts.is_learned, texts.is_wanted)
    assert told == list(zip(*columns, strict=True))
