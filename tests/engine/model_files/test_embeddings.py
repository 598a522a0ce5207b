"""Rows of embeddings that no training touched are found in the files, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from maxaillm.dev.finetune.errors import ModelError
from maxaillm.dev.finetune.model_files.embeddings import (
    listed,
    tokens_without_rows,
    untrained_rows,
)

ROWS, WIDTH = 600, 48
ALIKE = [2, 5, *range(300, 340)]


def table(scale: float = 0.02) -> torch.Tensor:
    return scale * torch.randn(ROWS, WIDTH, generator=torch.Generator().manual_seed(3))


def found(folder: Path, **weights: torch.Tensor) -> tuple[set[int], set[int]]:
    names = {"read": "model.embed_tokens.weight", "written": "lm_head.weight"}
    tensors = {names[name]: values.contiguous() for name, values in weights.items()}
    save_file(tensors, folder / "model.safetensors")
    read, written = untrained_rows(folder)
    return set(read), set(written)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("scale", [0.02, 3.0])
def test_equal_rows_nothing_and_the_mean_are_found(
    dtype: torch.dtype, scale: float, tmp_path: Path
) -> None:
    values = table(scale)
    values[ALIKE] = values[7] + 1e-4 * scale * torch.randn(len(ALIKE), WIDTH)
    values[11] = 0
    values[13] = values.mean(0)
    expected = {7, 11, 13, *ALIKE}
    assert found(tmp_path, read=values.to(dtype)) == (expected, expected)


def test_a_head_of_its_own_is_looked_at_too(tmp_path: Path) -> None:
    head = table()
    head[[1, 2]] = head[3].clone()
    assert found(tmp_path, read=table(), written=head) == (set(), {1, 2, 3})


def test_changed_files_are_read_again(tmp_path: Path) -> None:
    assert found(tmp_path, read=table()) == (set(), set())
    values = table()
    values[4] = values[9]
    (tmp_path / "model.safetensors").unlink()
    assert found(tmp_path, read=values)[0] == {4, 9}


@given(rows=st.integers(1, 50), base=st.integers(1, 60), added=st.integers(0, 20))
def test_tokens_lack_rows_or_belong_to_another_model(rows: int, base: int, added: int) -> None:
    new = {f"<{n}>": base + n for n in range(added)}
    if base > rows:
        with pytest.raises(ModelError, match="two models"):
            tokens_without_rows(base + added, new, rows)
        return
    expected = [f"<{n}>" for n in range(added) if base + n >= rows]
    assert tokens_without_rows(base + added, new, rows) == expected


def test_tokens_are_named_as_people_write_them() -> None:
    assert listed(["</s>", "Ġthe", "Ċ", "é"]) == "</s>, ' the', '\\n', é"
    assert listed([str(n) for n in range(10)], most=2) == "0, 1 and 8 more"
