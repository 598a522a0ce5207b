"""A file that was tokenised once is read back as it was, or made anew; never anything else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.hf.batches.rows import Tokens
from maxaillm.dev.finetune.hf.batches.tokenise import Encoder, Numbered
from maxaillm.dev.finetune.hf.loading import load_tokenizer
from maxaillm.dev.finetune.hf.prepare import token_cache
from maxaillm.dev.finetune.hf.prepare.token_cache import TokenCache, key_of
from tests import tiny
from tests.engine.conftest import Train, losses


class Counting(Encoder):
    """Each example is a length; long ones are cut, and 0 is left out."""

    def rows_of(self, batch: list[Numbered]) -> Iterator[Tokens]:
        for number, length in batch:
            size = int(str(length))
            row = Tokens(list(range(size)), [size / 2 if self.floats else size], number)
            if row.ids:
                yield self.shortened(row)
            else:
                self.drop("It is empty.")


class Figures(Counting):
    floats = True


def nothing() -> None:
    return None


def lengths() -> list[int]:
    return np.random.default_rng(0).integers(0, 40, 3000).tolist()


@pytest.fixture
def cache(tmp_path: Path) -> TokenCache:
    return TokenCache(tmp_path / "cache")


@pytest.mark.parametrize("kind", [Counting, Figures])
def test_what_comes_back_is_what_was_made(kind: type[Encoder], cache: TokenCache) -> None:
    plain = kind(None, 32).encode(lengths())  # type: ignore[arg-type]
    for _ in range(2):
        kept = cache.encode("key", kind(None, 32), lengths(), nothing)  # type: ignore[arg-type]
        assert kept.facts == plain.facts
        assert kept.dropped == plain.dropped
        assert kept.rows.digest() == plain.rows.digest()
        assert isinstance(kept.rows.tokens.values, np.memmap)
        assert kept.rows.labels.values.dtype == plain.rows.labels.values.dtype


def test_nothing_is_made_twice(cache: TokenCache) -> None:
    cache.encode("key", Counting(None, 32), lengths(), nothing)  # type: ignore[arg-type]
    never = iter([None])
    cache.encode("key", Counting(None, 32), never, nothing)  # type: ignore[arg-type]
    assert list(never) == [None]


@pytest.mark.parametrize("fault", ["cut", "altered", "missing", "no facts"])
def test_what_is_not_whole_is_made_anew(cache: TokenCache, fault: str) -> None:
    made = cache.encode("key", Counting(None, 32), lengths(), nothing)  # type: ignore[arg-type]
    digest = made.rows.digest()
    file = cache.root / "key" / ("facts.json" if fault == "no facts" else "ids")
    content = file.read_bytes()
    file.unlink()
    if fault == "cut":
        file.write_bytes(content[:-4])
    elif fault == "altered":
        file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    again = cache.encode("key", Counting(None, 32), lengths(), nothing)  # type: ignore[arg-type]
    assert again.rows.digest() == digest
    assert cache.read("key") is not None


def test_a_stop_while_it_is_made_leaves_nothing(cache: TokenCache) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.encode("key", Counting(None, 32), lengths(), stop)  # type: ignore[arg-type]
    assert list(cache.root.iterdir()) == []


def test_several_may_make_the_same_at_once(cache: TokenCache) -> None:
    def make(_: int) -> str:
        encoder = Counting(None, 32)  # type: ignore[arg-type]
        return cache.encode("key", encoder, lengths(), nothing).rows.digest()

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(make, range(8)))) == 1
    assert [path.name for path in cache.root.iterdir()] == ["key"]


def test_what_was_not_used_for_longest_goes_first(cache: TokenCache) -> None:
    for key in ("used", "old", "new"):
        cache.encode(key, Counting(None, 32), lengths(), nothing)  # type: ignore[arg-type]
        os.utime(cache.root / key, (0, 0))
    assert cache.read("used")
    cache.limit_bytes = token_cache.size_bytes(cache.root / "used") + 1
    cache.shrink(but="new")
    assert sorted(path.name for path in cache.root.iterdir()) == ["new", "used"]


@pytest.mark.parametrize(
    "changed",
    [
        {"max_length": 32},
        {"train_on": "all"},
        {"rows": 23},
        {"splits": {"validation"}},
        {"model": ""},
    ],
)
def test_what_decides_the_rows_is_in_the_name(
    llama: Path, tmp_path: Path, changed: dict[str, Any]
) -> None:
    def name(rows: int = 24, splits: Any = (None, "train"), model: str = "x", **data: Any) -> str:
        from maxaillm.dev.finetune.hf.training.tasks.causal_lm import CausalLM

        file = tiny.write_lines(tmp_path / f"{rows}.jsonl", tiny.conversations(rows))
        config = RunConfig.parse({"model": {"name": "m"}, "task": "causal_lm", "data": data})
        tokenizer = load_tokenizer(llama)
        if not model:
            tokenizer.chat_template = "{{ messages }}"
        encoder = CausalLM(config).encoder(tokenizer, config.data.max_length)
        return key_of(file, splits, encoder, config)

    assert name() == name()
    assert name(**changed) != name()


def test_a_run_from_the_cache_is_the_same_run(
    llama: Path, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in what it says of its file."""
    rows = [row | {"mood": "odd"} for row in tiny.conversations(24)]
    data = {"train_file": str(tiny.write_lines(tmp_path / "more.jsonl", rows))}
    plain = train(llama, "plain", data=data)
    monkeypatch.setattr(token_cache, "WORTHWHILE_BYTES", 0)
    monkeypatch.setenv("MAXAILLM_CACHE", str(tmp_path / "cache"))
    first, second = (train(llama, name, data=data) for name in ("first", "second"))
    assert losses(first) == losses(second) == losses(plain)
    stages = [
        next(e.data for e in run if e.data.get("name") == "tokenise")
        for run in (plain, first, second)
    ]
    assert stages[0] == stages[1] == stages[2]
    for run in (plain, first, second):
        warnings = [str(event.data["message"]) for event in run if event.kind == "warning"]
        assert warnings.count("Not read: the column “mood”.") == 1
    assert len(list((tmp_path / "cache" / "tokens").iterdir())) == 1
