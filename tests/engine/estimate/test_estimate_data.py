"""What an estimate counts of a row."""

from __future__ import annotations

from maxaillm.dev.finetune.data.examples.classification import Classification
from maxaillm.dev.finetune.data.examples.preference import Preference
from maxaillm.dev.finetune.data.examples.regression import Regression
from maxaillm.dev.finetune.data.examples.text import Text
from maxaillm.dev.finetune.data.examples.token_labels import TokenLabels
from maxaillm.dev.finetune.data.examples.unpaired_preference import UnpairedPreference
from maxaillm.dev.finetune.data.rows.messages import Message
from maxaillm.dev.finetune.estimate.data import texts_of

ASKED = [Message(role="user", content="Hi")]
GOOD = [Message(role="assistant", content="Hello")]
POOR = [Message(role="assistant", content="Go away")]


def test_the_texts_of_an_example_are_what_a_model_reads() -> None:
    assert texts_of(Preference(messages=ASKED, chosen=GOOD, rejected=POOR)) == [
        "user\nHi", "assistant\nHello", "user\nHi", "assistant\nGo away",
    ]  # fmt: skip
    unpaired = UnpairedPreference(messages=ASKED, completion=GOOD, desirable=True)
    assert texts_of(unpaired) == ["user\nHi", "assistant\nHello"]
    assert texts_of(Regression(text="a", pair="b", score=1)) == ["a", "b"]
    assert texts_of(TokenLabels(tokens=["a", "b"], tags=["O", "O"])) == ["a b"]
    assert texts_of(Text(text="a")) == texts_of(Classification(text="a", label="b")) == ["a"]
