"""Saved models of every task: what they say of themselves, of texts, and how they are measured."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest

from maxaillm.dev.finetune.__main__ import main
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import DataError, FineTuneError, ModelError
from maxaillm.dev.finetune.metrics import metrics
from maxaillm.dev.finetune.model_files.card import FILE, read_card
from maxaillm.dev.finetune.providers.hugging_face import MaxHuggingFaceFineTuning
from maxaillm.dev.finetune.run.attempt import Attempt
from maxaillm.model.classifier import GapFiller, SequenceClassifier, TokenClassifier
from maxaillm.model.llm import MaxHuggingFaceLLM, PromptTooLongError
from maxaillm.model.opening import open_model
from maxaillm.model.sampling import SamplingOptions
from tests import tiny
from tests.engine.methods.matrix import rows_for
from tests.families import FAMILIES

TEXTS = [row["text"] for row in tiny.texts(12)]
ROWS: Mapping[str, list[dict[str, Any]]] = {
    "causal_lm": tiny.conversations(5),
    "seq2seq_lm": tiny.conversations(5),
    "classes": [{"text": t, "label": "abc"[n % 3]} for n, t in enumerate(TEXTS)],
    "pairs": [{"premise": t, "hypothesis": "red", "label": "ny"["red" in t]} for t in TEXTS],
    "several": [{"text": t, "labels": [w for w in ("red", "blue") if w in t]} for t in TEXTS],
    "numbers": [{"text": t, "score": len(t) / 10} for t in TEXTS],
    "token_classification": rows_for("token_classification"),
    "masked_lm": rows_for("masked_lm"),
}
BASES = {"causal_lm": "llama", "seq2seq_lm": "t5"}
OWN = {
    "causal_lm": {"perplexity", "chrf", "bleu"},
    "seq2seq_lm": {"perplexity", "rougeL"},
    "classes": {"accuracy", "macro_f1", "mcc", "calibration_error"},
    "pairs": {"accuracy", "mcc"},
    "several": {"micro_f1", "subset_accuracy"},
    "numbers": {"mae", "rmse", "pearson"},
    "token_classification": {"accuracy", "macro_f1"},
    "masked_lm": {"perplexity"},
}
"""Some of the metrics that a file of each kind can be measured by."""
each = pytest.mark.parametrize("kind", list(ROWS))
Tuned = Callable[[str], Path]
exactly = partial(open_model, device="cpu", precision="fp32")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    root = tmp_path_factory.mktemp("rows")
    return cache(lambda kind: tiny.write_lines(root / f"{kind}.jsonl", ROWS[kind]))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    root = tmp_path_factory.mktemp("bases")
    return cache(lambda family: FAMILIES[family](root / family))


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory, data: Tuned, base: Tuned) -> Tuned:
    """The folder of a LoRA adapter that a short run made of rows of a kind."""

    @cache
    def made(kind: str) -> Path:
        folder = tmp_path_factory.mktemp(kind)
        config = tiny.run_config(
            base(BASES.get(kind, "bert")),
            data(kind),
            training={"max_steps": 2},
            data={"validation_share": 0, "max_length": 48},
        )
        with Attempt(folder) as attempt:
            MaxHuggingFaceFineTuning(RunConfig.parse(config), attempt).run()
        return folder / "model"

    return made


def test_a_folder_says_what_it_is(tuned: Tuned) -> None:
    cards = {kind: read_card(tuned(kind)) for kind in ROWS}
    assert [card.task for card in cards.values()] == [
        "causal_lm", "seq2seq_lm", *["sequence_classification"] * 4,
        "token_classification", "masked_lm",
    ]  # fmt: skip
    assert cards["classes"].labels == ["a", "b", "c"]
    assert cards["several"].labels == ["blue", "red"]
    assert cards["numbers"].labels == []
    assert [cards[kind].problem for kind in ("pairs", "several", "numbers")] == [
        "single_label_classification", "multi_label_classification", "regression",
    ]  # fmt: skip
    assert {card.base for card in cards.values()} == {"./llama", "./t5", "./bert"}


@each
def test_each_opens_as_what_it_is(kind: str, tuned: Tuned) -> None:
    kinds = {"token_classification": TokenClassifier, "masked_lm": GapFiller}
    writers = {"causal_lm": MaxHuggingFaceLLM, "seq2seq_lm": MaxHuggingFaceLLM}
    expected = (kinds | writers).get(kind, SequenceClassifier)
    assert type(open_model(tuned(kind), device="cpu")) is expected


def test_classes_come_with_their_probabilities_the_likeliest_first(tuned: Tuned) -> None:
    model = exactly(tuned("classes"))
    assert isinstance(model, SequenceClassifier)
    together = model.predict([*TEXTS, "x"] * 4)
    for said, text in zip(together, [*TEXTS, "x"] * 4, strict=True):
        assert isinstance(said, list)
        shares = [label.probability for label in said]
        assert shares == sorted(shares, reverse=True)
        assert sum(shares) == pytest.approx(1)
        [alone] = model.predict([text])
        assert isinstance(alone, list)
        assert dict(said) == pytest.approx(dict(alone), abs=1e-5)


def test_a_pair_is_judged_together(tuned: Tuned) -> None:
    model = exactly(tuned("pairs"))
    assert isinstance(model, SequenceClassifier)
    pair, other, single = model.predict([("red blue", "red"), ("red blue", "loud"), "red blue"])
    assert pair != other != single != pair
    assert [pair] == model.predict([("red blue", "red")])


def test_several_classes_are_likely_each_by_itself(tuned: Tuned) -> None:
    model = exactly(tuned("several"))
    assert isinstance(model, SequenceClassifier)
    [said] = model.predict(["red blue"])
    assert isinstance(said, list)
    assert {label.label for label in said} == {"red", "blue"}
    assert sum(label.probability for label in said) != pytest.approx(1, abs=1e-4)


def test_a_number_is_a_number(tuned: Tuned) -> None:
    model = exactly(tuned("numbers"))
    assert isinstance(model, SequenceClassifier)
    assert [type(said) for said in model.predict(TEXTS)] == [float] * 12
    assert float("".join(model.stream("red"))) == pytest.approx(
        model.answer("red")["score"], rel=1e-3
    )


def test_words_keep_their_order_and_long_texts_are_counted(tuned: Tuned) -> None:
    model = exactly(tuned("token_classification"), max_length=12)
    assert isinstance(model, TokenClassifier)
    short, long = model.predict([["red", "blue"], " ".join(TEXTS)])
    assert [word.word for word in short] == ["red", "blue"]
    assert 0 < len(long) < len(" ".join(TEXTS).split())
    assert model.cut == 1
    assert {word.label for word in [*short, *long]} <= set(model.card.labels)


def test_gaps_are_filled_and_missed(tuned: Tuned) -> None:
    model = exactly(tuned("masked_lm"))
    assert isinstance(model, GapFiller)
    [gaps] = model.predict(["red [MASK] [MASK] blue"])
    assert [len(words) for words in gaps] == [5, 5]
    with pytest.raises(FineTuneError, match="no gap") as refused:
        list(model.stream("red blue"))
    assert "[MASK]" in refused.value.hint


def test_an_encoder_decoder_answers_talks_and_prompts(tuned: Tuned) -> None:
    llm = exactly(tuned("seq2seq_lm"), max_length=64)
    assert isinstance(llm, MaxHuggingFaceLLM)
    greedy = SamplingOptions(temperature=0, max_new_tokens=6)
    turn = [{"role": "user", "content": "What is red?"}]
    assert llm.chat(turn, greedy) == llm.generate("What is red?", 6, do_sample=False)
    assert llm.prompt_length(turn) == len("What is red?") + 1
    with pytest.raises(PromptTooLongError):
        llm.generate("x" * 64)


def test_a_model_for_something_else_does_not_write(tuned: Tuned) -> None:
    with pytest.raises(ModelError, match="does not write text"):
        MaxHuggingFaceLLM(tuned("classes"), device="cpu")


def without_card(folder: Path, to: Path) -> Path:
    """The adapter as other tools would have saved it, in no run's folder."""
    copy = Path(shutil.copytree(folder, to / "model"))
    (copy / FILE).unlink()
    return copy


def test_without_a_card_a_classifier_still_knows_how_many_classes(
    tuned: Tuned, base: Tuned, tmp_path: Path
) -> None:
    folder = without_card(tuned("classes"), tmp_path)
    opened = exactly(folder, base=base("bert"))
    assert opened.card.labels == ["LABEL_0", "LABEL_1", "LABEL_2"]
    named = exactly(tuned("classes"))
    assert isinstance(named, SequenceClassifier) and isinstance(opened, SequenceClassifier)
    [ours], [theirs] = named.predict(["red blue"]), opened.predict(["red blue"])
    assert isinstance(ours, list) and isinstance(theirs, list)
    assert [label.probability for label in ours] == [label.probability for label in theirs]


@pytest.mark.parametrize(
    "content",
    ['{"task": "flying"}', '{"labels": []}', '{"task": "causal_lm", "labels": "a"}', "[]"],
)
def test_a_damaged_card_is_refused(content: str, tuned: Tuned, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tuned("classes"), tmp_path / "model"))
    (folder / FILE).write_text(content)
    with pytest.raises(ModelError) as refused:
        read_card(folder)
    assert refused.value.hint


def test_a_head_of_random_numbers_is_refused(base: Tuned, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(base("bert"), tmp_path / "model"))
    card = {"task": "sequence_classification", "labels": ["a", "b"]}
    (folder / FILE).write_text(json.dumps(card))
    with pytest.raises(ModelError, match="lacks weights"):
        open_model(folder, device="cpu")


@each
def test_the_command_measures_by_all_that_serves(
    kind: str, tuned: Tuned, data: Tuned, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(tuned(kind)), str(data(kind)), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    measured = {name for name in metrics if name in facts}
    assert measured >= OWN[kind]
    for name in measured:
        low, high = facts[f"{name}_interval"]
        assert low <= facts[name] + 1e-9 and facts[name] <= high + 1e-9


def test_the_command_takes_metrics_and_a_split(
    tuned: Tuned, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{**row, "split": ("train", "test")[n % 2]} for n, row in enumerate(ROWS["classes"])]
    file = str(tiny.write_lines(tmp_path / "split.jsonl", rows))
    model = str(tuned("classes"))
    chosen = ["--metrics", "accuracy", "--split", "test", "--json"]
    assert main(["evaluate", model, file, *chosen]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["rows"] == 6
    assert "macro_f1" not in facts
    for wrong in (["--metrics", "bleu"], ["--metrics", "mae"], ["--split", "validation"]):
        assert main(["evaluate", model, file, *wrong, "--json"]) in {2, DataError.exit_code}
        assert json.loads(capsys.readouterr().err)["error"]["hint"]


def test_a_model_that_chats_is_measured_by_preferences_too(
    tuned: Tuned, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(tiny.write_lines(tmp_path / "pairs.jsonl", rows_for("preference")))
    assert main(["evaluate", str(tuned("causal_lm")), file, "--json"]) == 0
    assert 0 <= json.loads(capsys.readouterr().out)["preferred"] <= 1
    assert main(["evaluate", str(tuned("classes")), file, "--json"]) == DataError.exit_code
    assert "measured on preference pairs" in json.loads(capsys.readouterr().err)["error"]["message"]


@each
def test_the_command_answers_or_judges(
    kind: str, tuned: Tuned, capsys: pytest.CaptureFixture[str]
) -> None:
    prompt = "red [MASK] blue" if kind == "masked_lm" else "red blue"
    command = ["generate", str(tuned(kind)), prompt, "--max-new-tokens", "3"]
    assert main(command) == 0
    assert capsys.readouterr().out.endswith("\n")
    assert main([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    keys = {"causal_lm": "text", "seq2seq_lm": "text", "numbers": "score"}
    keys |= {"token_classification": "words", "masked_lm": "gaps"}
    assert keys.get(kind, "labels") in told
