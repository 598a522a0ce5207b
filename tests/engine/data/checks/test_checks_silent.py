"""What looks like a fault and is none, and faults that must be seen among very many rows."""

from __future__ import annotations

import pytest

from maxaillm.dev.finetune.data.checks import checks
from maxaillm.dev.finetune.data.checks.boilerplate import KEPT
from maxaillm.dev.finetune.data.checks.mixed_language import MixedLanguage
from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.examples.preference import Preference
from maxaillm.dev.finetune.data.examples.text import Text
from maxaillm.dev.finetune.data.examples.unpaired_preference import UnpairedPreference
from maxaillm.dev.finetune.data.store.batch import Batch
from tests.engine.data.checks.faulty_rows import (
    CALL,
    CLEAN,
    ENGLISH,
    GERMAN,
    answered,
    better,
    chat,
    clean_talks,
    issues,
    said,
    sentence,
    turn,
)

REFUSED = "I'm sorry, but I can't help with that."
MEANT = {
    "short_text": ("a class that is called none", [answered("none") for _ in range(30)]),
    "truncated_answer": (
        "titles, which end without a mark",
        [answered("The old house by the river and the people who live there " * 2 + "today")] * 30,
    ),
    "tool_calls": (
        "choosing the tool is the task",
        [said(("user", f"{n}"), ("assistant", CALL)) for n in range(30)],
    ),
    "placeholder": ("asked to fill it in", [chat("Fill in [your name].", "Jane")] * 2),
    "mixed_language": (
        "two languages, half and half",
        [answered("Это предложение написано на другом языке, чем остальные.")] * 60,
    ),
    "markup": (
        "code, maths and a question about HTML",
        [
            answered("```html\n<p>Hi</p>\n```\nUse `<br>` there."),
            answered("x < b and b > c, so a <b but c> d"),
            chat("How do I write bold text in HTML?", "Write <b>bold</b>."),
        ],
    ),
    "refusal": (
        "words that a refusal may have, too",
        [
            answered("I cannot stress enough how good it is."),
            answered("She said: I'm sorry, but I can't wait."),
            chat(REFUSED, "What a pity."),
        ],
    ),
    "mojibake": (
        "letters of many languages",
        [
            answered("Ça va à Århus? ÂGE, naïve – œuvre «Élan» “Été” l’été… déjà—où"),
            answered("»Über die Brücke«, sagte er. ”Är du svensk?” »Äh«"),
            answered("Привет, «мир» — как дела? Ναί, «Όχι». 你好……世界——“好”「是」 안녕 שלום"),
            answered("½ of 5 °C ± 2 €, 3 × 4 ÷ 2 ≈ 6² … ½–¾ ¿Qué? ¡Así! nº 5 ª"),
            answered("Tiếng Việt, żółć, říjen, ığdır, þæö, coöperate"),
        ],
    ),
    "repeated_text": ("a table", [answered("| a | b | c |\n" * 30)]),
    "conflicting_answers": ("the same answer", [chat("2 + 2?", "4"), chat("2 + 2?", " 4")]),
    "leakage": ("the same row twice in the test", [chat("a", "b", split="test")] * 2),
    "echoed_question": ("a name stays a name", [chat("Anna", "Anna")]),
}  # fmt: skip


@pytest.mark.parametrize("name", MEANT)
def test_what_is_meant_so_is_left_alone(name):
    _, rows = MEANT[name]
    assert list(issues(name, Conversation, [*clean_talks(), *rows])) == []


def test_answers_to_avoid_may_refuse():
    preferences = [better(1) | {"rejected": turn("assistant", REFUSED)}]
    assert not list(issues("refusal", Preference, preferences))
    preferences = [better(1) | {"chosen": turn("assistant", REFUSED)}]
    assert len(list(issues("refusal", Preference, preferences))) == 1
    judged = CLEAN[UnpairedPreference][0] | {"completion": turn("assistant", REFUSED)}
    assert not list(issues("refusal", UnpairedPreference, [judged | {"desirable": False}]))
    assert len(list(issues("refusal", UnpairedPreference, [judged | {"desirable": True}]))) == 1


@pytest.mark.parametrize("place", ["opening", "ending"])
def test_what_many_texts_share_is_found_among_very_many_others(place):
    """Far more openings than are kept at a time come in between."""
    shared = " This text was brought to you by the friends of the village library and its garden. "
    rows = []
    for n in range(8 * KEPT):
        own = sentence(n, 30)
        if n % 25 == 0:
            own = shared + own if place == "opening" else own + shared
        rows.append({"text": own})
    (found,) = issues("boilerplate", Text, rows)
    assert found.row is None
    assert found.snippet in shared and len(found.snippet) > 50
    assert ("begin" if place == "opening" else "end") in found.message


@pytest.mark.parametrize("size", [3, 100])
def test_of_many_texts_it_is_said_how_many_languages_were_looked_at(size):
    rows = [*map(answered, [*ENGLISH, GERMAN, *ENGLISH])]
    check = MixedLanguage(max_rows=30)
    found = []
    for begin in range(0, len(rows), size):
        part = rows[begin : begin + size]
        found += check.see(Batch(Conversation, range(begin + 1, begin + len(part) + 1), part))
    german, whole = check.conclude()
    assert (found, german.row, whole.row) == ([], 25, None)
    assert "1 of 30 texts" in whole.message and "other 19" in whole.message


def test_weights_keep_answers_out():
    """What isn't learned may be as it likes."""
    row = answered(REFUSED)
    row["messages"][1]["weight"] = 0.0
    assert not list(issues("refusal", Conversation, [row]))


def test_the_registry_holds_what_is_promised():
    promised = """duplicate near_duplicate conflicting_answers long_row short_text outlier_length
        refusal boilerplate mixed_language mojibake markup many_classes single_class label_variants
        rare_class class_imbalance tool_calls personal_data placeholder leakage empty_part
        truncated_answer repeated_text"""
    assert set(promised.split()) <= set(checks)
