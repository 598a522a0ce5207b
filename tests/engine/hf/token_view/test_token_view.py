"""What is shown of a dataset before a run is what the run trains on; no weights are needed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from maxaillm.dev.finetune.__main__ import main
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import ModelError
from maxaillm.dev.finetune.hf.batches.rows import Rows, Tokens
from maxaillm.dev.finetune.hf.loading.shell import shell_of
from maxaillm.dev.finetune.hf.prepare.base_model import visible_width
from maxaillm.dev.finetune.hf.token_view import TokenView
from maxaillm.dev.finetune.providers.hugging_face import MaxHuggingFaceFineTuning
from maxaillm.dev.finetune.run.attempt import Attempt
from maxaillm.dev.finetune.run.events import read_journal
from tests import tiny
from tests.engine.methods.matrix import rows_for
from tests.families import FAMILIES
from tests.preferences import judged, pairs

TEXTS = [row["text"] for row in tiny.texts(12)]
ROWS: Mapping[str, list[dict[str, Any]]] = {
    "causal_lm": tiny.conversations(9),
    "documents": tiny.texts(9),
    "seq2seq_lm": tiny.conversations(9),
    "classes": [{"text": t, "label": "abc"[n % 3]} for n, t in enumerate(TEXTS)],
    "pairs": [{"premise": t, "hypothesis": t[::-1], "label": "ny"["red" in t]} for t in TEXTS],
    "several": [{"text": t, "labels": [w for w in ("red", "blue") if w in t]} for t in TEXTS],
    "numbers": [{"text": t, "score": len(t) / 10} for t in TEXTS],
    "token_classification": rows_for("token_classification"),
    "masked_lm": rows_for("masked_lm"),
    "preference": pairs(9),
    "judged": judged(9),
}
DECODERS = {"causal_lm", "documents", "preference", "judged"}
DIVIDED = {"documents", "masked_lm"}
LESSER_WIDTHS = {"causal_lm": 44, "preference": 44, "judged": 44}
"""Of the rows some fit or are cut, and some of the chats lose their answer. Others: 16."""
Made = Callable[[str], Path]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Made:
    root = tmp_path_factory.mktemp("bases")
    return cache(lambda family: FAMILIES[family](root / family))


def lesser_width(kind: str) -> int:
    return LESSER_WIDTHS.get(kind, 16)


def family_of(kind: str) -> str:
    return "llama" if kind in DECODERS else "t5" if kind == "seq2seq_lm" else "bert"


@pytest.fixture
def configured(tmp_path: Path, base: Made) -> Callable[..., RunConfig]:
    def make(kind: str, width: int, side: str = "right") -> RunConfig:
        folder = shutil.copytree(base(family_of(kind)), tmp_path / "model")
        settings = folder / "tokenizer_config.json"
        changed = json.loads(settings.read_text()) | {"truncation_side": side}
        settings.write_text(json.dumps(changed))
        file = tiny.write_lines(tmp_path / f"{kind}.jsonl", ROWS[kind])
        data = {"max_length": width, "validation_share": 0}
        return RunConfig.parse(tiny.run_config(folder, file, data=data))

    return make


def without_weights(config: RunConfig) -> TokenView:
    for file in Path(config.model.name).glob("*.safetensors"):
        file.unlink()
    return TokenView(config)


def shown(view: TokenView, kind: str, count: int) -> list[list[tuple[list[int], list[bool]]]]:
    """Of each row that is learned, its streams without what is cut."""
    found = []
    for row in view.rows(range(1, count + 1)):
        if not row["left_out"]:
            streams: Any = row["streams"]
            kept = [[t for t in stream["tokens"] if t["state"] != "cut"] for stream in streams]
            found.append(
                [([t["id"] for t in k], [t["state"] == "trained" for t in k]) for k in kept]
            )
    return [[stream] for row in found for stream in row] if kind in DIVIDED else found


def row_of(rows: Rows, place: int) -> Tokens:
    ids, labels = rows[place]
    return Tokens(ids.tolist(), labels.tolist(), 0)


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("is_cut", [True, False])
@pytest.mark.parametrize("kind", list(ROWS))
def test_what_is_shown_is_what_is_trained(
    kind: str, is_cut: bool, side: str, configured: Any, tmp_path: Path
) -> None:
    config = configured(kind, lesser_width(kind) if is_cut else 300, side)
    with Attempt(tmp_path / "run") as attempt:
        tuning = MaxHuggingFaceFineTuning(config, attempt)
        train, _ = tuning.prepare_data()
    journal = read_journal(tmp_path / "run" / "events.jsonl")
    told = next(event.data for event in journal if event.data.get("name") == "tokenise")
    view = without_weights(config)
    summary = view.summary()
    names = set(told) - {"name"}
    if not view.task.learns_tokens:
        names -= {"trained_tokens"}
    if kind == "seq2seq_lm":
        names -= {"tokens"}  # here with the answers
    assert {name: summary[name] for name in names} == {name: told[name] for name in names}
    rows = train.rows
    trained = [view.task.streams(row_of(rows, place)) for place in range(len(rows))]
    assert shown(view, kind, len(ROWS[kind])) == [
        [(list(stream.ids), list(stream.learned)) for stream in streams] for streams in trained
    ]


@pytest.mark.parametrize("kind", sorted(ROWS.keys() - DIVIDED))
def test_what_is_cut_is_shown_too(kind: str, configured: Any) -> None:
    view = TokenView(configured(kind, lesser_width(kind)))
    summary: Any = view.summary()
    rows: Any = view.rows(range(1, len(ROWS[kind]) + 1))
    lengths = [len(stream["tokens"]) for row in rows for stream in row["streams"]]
    cut = [row for row in rows if any(stream["cut"] for stream in row["streams"])]
    assert summary["length"]["max"] == max(lengths) > lesser_width(kind)
    assert summary["longer_rows"] == len(cut) > 0
    assert summary["longer_at"] == [row["row"] for row in cut][:10]
    assert summary["lost_at"] == [row["row"] for row in rows if row["left_out"]]
    assert sum(part["rows"] for part in summary["histogram"]) == summary["rows"] == len(rows)
    least = {part["cut_share"]: part["tokens"] for part in summary["max_length_for"]}
    longest = [max(len(stream["tokens"]) for stream in row["streams"]) for row in rows]
    assert sum(length > least[0.05] for length in longest) <= 0.05 * len(rows)
    assert least[0.0] == max(longest)


def test_the_words_of_classes_are_shown(configured: Any) -> None:
    row: Any = TokenView(configured("classes", 64)).rows([2])[0]
    assert row["streams"][0]["says"] == "b"


def test_one_row_is_shown_where_the_first_ones_are_of_one_class(
    configured: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maxaillm.dev.finetune.hf.token_view.SURVEYED_ROWS", 1)
    row: Any = TokenView(configured("classes", 64), [1]).rows([1])[0]
    assert row["streams"][0]["says"] == "a"


def test_the_tags_are_shown_at_their_words(configured: Any) -> None:
    row: Any = TokenView(configured("token_classification", 64)).rows([1])[0]
    tokens = row["streams"][0]["tokens"]
    assert [t["says"] for t in tokens if "says" in t] == ROWS["token_classification"][0]["tags"]
    assert all(("says" in token) == (token["state"] == "trained") for token in tokens)


def test_rows_that_lose_their_answer_are_counted_and_a_run_refused(configured: Any) -> None:
    summary: Any = TokenView(configured("causal_lm", 16)).summary()
    assert summary["lost_rows"] == summary["rows"] == 9
    assert summary["trained_tokens"] == summary["sequences"] == 0
    assert "None of the rows can be learned from" in summary["refusal"]["message"]


def test_pieces_add_up_to_the_text(configured: Any, tmp_path: Path) -> None:
    chat = {"messages": [{"role": "user", "content": "日\x07\u202e"}, *said("é 🙂\n")]}
    tiny.write_lines(tmp_path / "causal_lm.jsonl", [chat])
    config = configured("causal_lm", 300)
    tiny.write_lines(tmp_path / "causal_lm.jsonl", [chat])
    row: Any = TokenView(config).rows([1])[0]
    tokens = row["streams"][0]["tokens"]
    texts = [token["text"] for token in tokens]
    assert "".join(text for text in texts if not text.startswith("\\x")) == (
        "<|im_start|>user\n日\x07\u202e<|im_end|>\n<|im_start|>assistant\né 🙂\n<|im_end|>\n"
    )
    assert texts[texts.index("日") - 2 :][:3] == ["\\xe6", "\\x97", "日"]
    assert {t["text"] for t in tokens if t["special"]} == {"<|im_start|>", "<|im_end|>"}


def said(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


@pytest.mark.parametrize("family", list(FAMILIES))
def test_a_model_sees_as_far_without_its_weights(family: str, base: Made, tmp_path: Path) -> None:
    file = tiny.write_lines(tmp_path / "chats.jsonl", tiny.conversations(2))
    rows = tiny.texts(2) if family in {"bert", "roberta", "distilbert"} else None
    if rows:
        tiny.write_lines(file, rows)
    data = {"max_length": 4000}
    config = RunConfig.parse(tiny.run_config(base(family), file, data=data))
    with Attempt(tmp_path / "run") as attempt:
        tuning = MaxHuggingFaceFineTuning(config, attempt)
        tuning.load()
        wanted = tuning.base.width
        shell = shell_of(Path(base(family)), tuning.task.auto_class)
        assert visible_width(config, shell, attempt.warn) == wanted
    view = TokenView(config)
    assert view.width == wanted
    assert bool(view.warnings) == (wanted < 4000)


def test_tokens_that_the_model_does_not_know_are_counted(configured: Any) -> None:
    config = configured("seq2seq_lm", 300)
    settings = Path(config.model.name) / "tokenizer_config.json"
    changed = json.loads(settings.read_text()) | {"unk_token": "e"}
    settings.write_text(json.dumps(changed))
    summary: Any = TokenView(config).summary()
    said = [turn["content"] for row in ROWS["seq2seq_lm"] for turn in row["messages"]]
    assert summary["unknown_tokens"] == sum(text.count("e") for text in said) > 0


def test_a_sample_is_every_so_many_rows(configured: Any, tmp_path: Path) -> None:
    config = configured("causal_lm", 300)
    tiny.write_lines(tmp_path / "causal_lm.jsonl", tiny.conversations(40))
    summary = TokenView(config).summary(sample=16)
    assert (summary["rows"], summary["every"]) == (10, 4)


def test_a_folder_that_asks_for_code_is_refused(configured: Any) -> None:
    config = configured("causal_lm", 300)
    settings = Path(config.model.name) / "tokenizer_config.json"
    settings.write_text(json.dumps({"auto_map": {"AutoTokenizer": "evil.py"}}))
    with pytest.raises(ModelError, match="asks for code"):
        TokenView(config)


def test_the_command(configured: Any, tmp_path: Path, capsys: Any) -> None:
    config = configured("causal_lm", 300)
    given = ["--model", config.model.name, "--data", str(tmp_path / "causal_lm.jsonl")]
    assert main(["tokens", "--json", *given, "--max-length", "100"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["visible_length"] == 100
    assert main(["tokens", "--json", *given, "data.train_on=all", "--row", "2", "99"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["row"] == 2
    assert all(token["state"] == "trained" for token in row["streams"][0]["tokens"][1:])
    assert main(["tokens", *given, "--row", "1"]) == 0
    assert "[trained I][trained t]" in capsys.readouterr().out
    found = tmp_path / "found.json"
    assert main(["tokens", *given, "--to", str(found)]) == 0
    assert json.loads(found.read_text())["rows"] == summary["rows"]
    given[1] = str(tmp_path / "none")
    assert main(["tokens", *given, "--to", str(found)]) != 0
    assert "There is no folder" in json.loads(found.read_text())["error"]["message"]
