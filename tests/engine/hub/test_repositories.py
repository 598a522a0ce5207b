"""Dataset repositories of the Hub: what is read of them, by their names and cards alone."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fsspec.utils import glob_translate
from hypothesis import given, settings
from hypothesis import strategies as st

from maxaillm.dev.finetune.errors import DataError
from maxaillm.dev.finetune.hub.names import hub_source
from maxaillm.dev.finetune.hub.patterns import is_match
from maxaillm.dev.finetune.hub.repositories import HubFile, ending_of, known_splits, subsets_of

Names = list[str]
SIZE = 7


def found(names: Names, configs: object = None) -> dict[str, dict[str, Names]]:
    subsets = subsets_of("ada/chats", [HubFile(name, SIZE) for name in names], configs)
    return {
        subset.name: {split.name: [file.name for file in split.files] for split in subset.splits}
        for subset in subsets
    }


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (["README.md", ".gitattributes", "rows.csv"], {"train": ["rows.csv"]}),
        (["a.jsonl", "b.jsonl"], {"train": ["a.jsonl", "b.jsonl"]}),
        (
            ["train.csv", "dev.csv", "test.csv", "extra.csv"],
            {"train": ["train.csv"], "validation": ["dev.csv"], "test": ["test.csv"]},
        ),
        (
            ["train/0.jsonl.gz", "train/1.jsonl.gz", "validation/0.jsonl.gz"],
            {
                "train": ["train/0.jsonl.gz", "train/1.jsonl.gz"],
                "validation": ["validation/0.jsonl.gz"],
            },
        ),
        (
            [
                f"data/{split}-0000{i}-of-00002.parquet"
                for split in ("train_sft", "x")
                for i in "01"
            ],
            {
                "train_sft": [f"data/train_sft-0000{i}-of-00002.parquet" for i in "01"],
                "x": [f"data/x-0000{i}-of-00002.parquet" for i in "01"],
            },
        ),
        (["a.csv", "b.csv", "c.jsonl"], {"train": ["a.csv", "b.csv"]}),
        (["LICENSE.txt", "requirements.txt", "dataset_infos.json", "a.txt"], {"train": ["a.txt"]}),
        (
            ["dataset_dict.json", "train/state.json", "train/data-00000-of-00001.arrow"],
            {"train": ["train/data-00000-of-00001.arrow"]},
        ),
        (["__pycache__/a.csv", ".cache/b.csv", "c.tsv"], {"train": ["c.tsv"]}),
    ],
)
def test_without_a_card_names_say_it(names: Names, splits: dict[str, Names]) -> None:
    assert found(names) == {"default": splits}


FILES = ["data/a/train.csv", "data/a/more.csv", "data/b.csv", "b/test[1].csv", "x.jpg"]


@pytest.mark.parametrize(
    ("config", "splits"),
    [
        ({"data_files": "data/b.csv"}, {"train": ["data/b.csv"]}),
        ({"data_files": "./data/*.csv"}, {"train": ["data/b.csv"]}),
        (
            {"data_files": ["data/b.csv", "b/test[1].csv"]},
            {"train": ["b/test[1].csv", "data/b.csv"]},
        ),
        (
            {"data_files": [{"split": "train_sft", "path": "data/**/*.csv"}]},
            {"train_sft": ["data/a/more.csv", "data/a/train.csv", "data/b.csv"]},
        ),
        (
            {
                "data_files": [
                    {"split": "train", "path": ["data/a/t*", "data/b.csv"]},
                    {"split": "test", "path": "b/**"},
                ]
            },
            {"train": ["data/a/train.csv", "data/b.csv"], "test": ["b/test[1].csv"]},
        ),
        (
            {"data_dir": "data", "data_files": "a/*"},
            {"train": ["data/a/more.csv", "data/a/train.csv"]},
        ),
        ({"data_dir": "data/a"}, {"train": ["data/a/train.csv"]}),
        ({"data_files": "**.csv"}, {"train": sorted(name for name in FILES if ".csv" in name)}),
    ],
)
def test_a_card_says_it(config: dict[str, Any], splits: dict[str, Names]) -> None:
    assert found(FILES, [{"config_name": "one", **config}]) == {"one": splits}


def test_the_copy_that_the_hub_makes() -> None:
    names = ["de/train/0000.parquet", "de/partial-test/0000.parquet", "en/train-part1/0003.parquet"]
    assert found(names, [{"config_name": "of another branch", "data_files": "rows.csv"}]) == {
        "de": {"test": [names[1]], "train": [names[0]]},
        "en": {"train": [names[2]]},
    }


def test_subsets_and_their_default() -> None:
    card = [
        {"config_name": "de", "data_files": "data/b.csv", "default": True},
        {"config_name": "en", "data_files": "data/a/*"},
        {"config_name": "gone", "data_files": "gone/*"},
    ]
    subsets = subsets_of("ada/chats", [HubFile(name, SIZE) for name in FILES], card)
    assert [(one.name, one.is_default) for one in subsets] == [("de", True), ("en", False)]


def test_of_a_name_that_is_there_twice_the_last_counts() -> None:
    card = [{"config_name": "de", "data_files": name} for name in ("a.csv", "b.csv")]
    assert found(["a.csv", "b.csv"], card) == {"de": {"train": ["b.csv"]}}
    (subset,) = subsets_of("ada/chats", [HubFile("a.csv", SIZE), HubFile("b.csv", SIZE)], card)
    assert subset.is_default


def test_a_split_has_a_name_to_its_end() -> None:
    meant = [{"split": "a" * 200 + "\n../b", "path": "a.csv"}]
    with pytest.raises(DataError, match="a split named"):
        found(["a.csv"], [{"data_files": meant}])


@pytest.mark.parametrize(
    "pattern",
    [
        "/etc/passwd", "~/rows.csv", "http://169.254.169.254/x.csv", "file:///etc/passwd", "s3:a",
        "hf://datasets/other/x.csv", "zip://a.csv::rows.zip", "../rows.csv", "a/../../rows.csv",
        "..", "a\\..\\rows.csv", "rows.csv\0", "*" * 1001, 7, None, {"a": "b"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", ["alone", "split", "data_dir"])
def test_a_hostile_card_is_refused_in_words(pattern: object, place: str) -> None:
    configs: dict[str, dict[str, object]] = {
        "alone": {"data_files": [pattern]},
        "split": {"data_files": [{"split": "train", "path": [pattern]}]},
        "data_dir": {"data_dir": pattern or "..", "data_files": "rows.csv"},
    }
    with pytest.raises(DataError) as refusal:
        found(["rows.csv"], [configs[place]])
    assert refusal.value.message.startswith("The card")
    assert refusal.value.hint


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("./*[]~ab:\\", max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["config_name", "data_files", "data_dir", "split", "path", "default"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
PATHS = st.lists(st.text("ab.", min_size=1, max_size=3), min_size=1, max_size=4).map("/".join)


@settings(max_examples=150, deadline=None)
@given(configs=JSONS | st.lists(JSONS), paths=st.lists(PATHS, max_size=5))
def test_only_listed_files_ever_come_out(configs: object, paths: Names) -> None:
    names = [f"{path}.csv" for path in paths]
    try:
        subsets = found(names, configs)
    except DataError as refusal:
        assert refusal.message
    else:
        chosen = [name for splits in subsets.values() for some in splits.values() for name in some]
        assert chosen
        assert set(chosen) <= set(names)


PIECES = st.lists(
    st.sampled_from(["**", "*", "a", "a*", "?", "[ab]", "b*a"]), min_size=1, max_size=4
)


@settings(max_examples=200, deadline=None)
@given(wanted=PIECES, parts=st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=4))
def test_patterns_match_as_file_systems_match_them(wanted: Names, parts: Names) -> None:
    known = re.match(glob_translate("/".join(wanted)), "/".join(parts)) is not None
    has_room = wanted[-1] != "**" or len(wanted) == 1  # a folder alone is no file
    assert is_match(parts, wanted) == known or not has_room


def test_a_pattern_that_backtracks_costs_nothing() -> None:
    assert not is_match(["a" * 200], ["*a" * 40 + "b"])


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([f"{i}.jpg" for i in range(1203)] + ["README.md"], "1,203 .jpg files and nothing"),
        (["chats.py", "README.md"], "by a program, chats.py, which is not run"),
        (["README.md", ".gitattributes"], "holds no data"),
    ],
)
def test_nothing_to_read_is_said(names: Names, words: str) -> None:
    with pytest.raises(DataError, match=words):
        found(names)


@pytest.mark.parametrize(
    ("splits", "known"),
    [
        (["train", "test"], {"train": "train", "test": "test"}),
        (["train", "dev"], {"train": "train", "dev": "validation"}),
        (["train_sft"], None),
        (["test"], None),
        (["train", "unsupervised"], None),
    ],
)
def test_splits_by_other_names_are_for_a_person(splits: Names, known: object) -> None:
    names = [f"data/{split}-00000-of-00001.csv" for split in splits]
    (subset,) = subsets_of("ada/chats", [HubFile(name, SIZE) for name in names])
    assert known_splits(subset) == known


def test_endings() -> None:
    names = ["a.b.jsonl.gz", "a.CSV", "a.gz", "train", "v1.0/x.parquet"]
    assert [ending_of(name) for name in names] == [".jsonl.gz", ".csv", ".gz", "", ".parquet"]


@pytest.mark.parametrize(
    ("text", "source"),
    [
        (" ada/chats ", ("ada/chats", "")),
        ("squad", ("squad", "")),
        ("https://huggingface.co/datasets/ada/chats", ("ada/chats", "")),
        ("https://huggingface.co/datasets/ada/chats/viewer/default/train?p=1", ("ada/chats", "")),
        ("huggingface.co/datasets/ada/chats/tree/v1.0/data", ("ada/chats", "v1.0")),
        (
            "https://hf.co/datasets/ada/chats/tree/refs%2Fconvert%2Fparquet",
            ("ada/chats", "refs/convert/parquet"),
        ),
        ("https://huggingface.co/datasets/squad/blob/main/a.csv", ("squad", "main")),
    ],
)
def test_names_and_links(text: str, source: tuple[str, str]) -> None:
    assert hub_source(text) == source
    assert hub_source(text, "v2").revision == "v2"


@pytest.mark.parametrize(
    ("text", "revision"),
    [
        ("", ""), ("../chats", ""), ("/etc/passwd", ""), ("a/b/c", ""), ("a//b", ""),
        ("a/b--c", ""), ("a/b..c", ""),
        ("https://huggingface.co/ada/model", ""), ("https://example.com/datasets/a/b", ""),
        ("ftp://huggingface.co/datasets/a/b", ""), ("https://huggingface.co/datasets/", ""),
        ("a/b", "../x"), ("a/b", "a b"), ("a/b", "x//y"), ("a/b", "-x"), ("starter/chat", ""),
        ("https://[huggingface.co/datasets/a/b", ""),
    ],
)  # fmt: skip
def test_other_names_are_refused(text: str, revision: str) -> None:
    with pytest.raises(DataError) as refusal:
        hub_source(text, revision)
    assert refusal.value.hint
