"""The loss is exact: in chunks, packed, padded, accumulated, for every kind of head."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM

from maxaillm.dev.finetune.hf.batches.collate import Collator, Sequences, eval_batches
from maxaillm.dev.finetune.hf.batches.packing import pack
from maxaillm.dev.finetune.hf.batches.rows import IGNORED, Rows, Tokens
from maxaillm.dev.finetune.hf.loading.packing_probe import keeps_rows_apart, output_head
from maxaillm.dev.finetune.hf.training.token_loss import TokenLossOf, measuring, token_losses
from maxaillm.dev.finetune.losses.cross_entropy import CrossEntropy
from maxaillm.dev.finetune.metrics import TokenLoss
from tests.engine.conftest import Train, losses


def rows_of(lengths: list[int], seed: int = 0) -> Rows:
    chance = torch.Generator().manual_seed(seed)
    rows = []
    for number, length in enumerate(lengths):
        ids = torch.randint(5, 250, (length,), generator=chance).tolist()
        rows.append(Tokens(ids, [IGNORED, IGNORED, *ids[2:]], number))
    return Rows.of(rows)


def model_at(folder: Path, **options: Any) -> Any:
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **options)


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_p3_packed_rows_lose_what_they_lose_alone(family: str, request: Any) -> None:
    model = model_at(request.getfixturevalue(family)).train()
    rows = rows_of([5, 17, 9, 30, 12, 3, 28])
    packed = Sequences(rows, packed=True, width=40)
    alone = Sequences(rows, packed=False, width=40)
    assert len(packed) == 3
    model.eval()
    token_loss = TokenLossOf(model, CrossEntropy())

    def gradient(sequences: Sequences) -> tuple[torch.Tensor, list[torch.Tensor]]:
        model.zero_grad()
        collate = Collator(rows, 0, packed=sequences.packed)
        batch = collate([sequences[n] for n in range(len(sequences))])
        assert batch.pop("tokens") == 104
        labels, _ = batch.pop("labels"), batch.pop("rows")
        total = token_loss(model, batch, labels)
        total.backward()
        return total.detach(), [p.grad.clone() for p in model.parameters()]

    total, gradients = gradient(packed)
    expected, theirs = gradient(alone)
    torch.testing.assert_close(total, expected, rtol=1e-5, atol=1e-4)
    for mine, other in zip(gradients, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-3, atol=1e-4)


def test_p3_a_model_that_sees_through_packing_is_noticed(llama: Path) -> None:
    model = model_at(llama)
    assert keeps_rows_apart(model)
    inner = model.model.forward

    def blind(*args: Any, position_ids: Any = None, **options: Any) -> Any:
        return inner(*args, **options)

    model.model.forward = blind
    assert not keeps_rows_apart(model)


def test_packing_fills_sequences_and_loses_no_row() -> None:
    lengths = [int(n) for n in torch.randint(3, 200, (500,)).tolist()]
    groups = pack(lengths, 256)
    assert sorted(row for group in groups for row in group) == list(range(500))
    assert max(sum(lengths[row] for row in group) for group in groups) <= 256
    assert sum(lengths) / (len(groups) * 256) > 0.97


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_p2_measured_loss_is_the_mean_over_tokens(family: str, request: Any) -> None:
    """GPT-2's own loss divides by the tokens before the shift."""
    model = model_at(request.getfixturevalue(family)).eval()
    rows = rows_of([4, 9, 6])
    expected = []
    for ids, labels in (rows[n] for n in range(3)):
        logits = model(torch.tensor(ids.tolist())[None]).logits[0]
        targets = torch.tensor(labels.tolist())
        total = float(cross_entropy(logits[:-1], targets[1:], reduction="sum").detach())
        right = int((logits.argmax(-1)[:-1] == targets[1:]).sum())
        expected.append(TokenLoss(total, int((labels != IGNORED).sum()), right))
    for packed in (False, True):
        sequences = Sequences(rows, packed=packed, width=64)
        batches = eval_batches(sequences, Collator(rows, 0, packed=packed), batch_size=2)
        with measuring(model):
            measured = token_losses(model, batches, len(rows))
        for found, theirs in zip(measured, expected, strict=True):
            assert found == pytest.approx(theirs, rel=1e-5)


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_p1_accumulated_batches_equal_one_batch(family: str, request: Any, train: Train) -> None:
    model = request.getfixturevalue(family)
    whole = {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 1, "max_steps": 3}
    parts = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 4, "max_steps": 3}
    shared: dict[str, Any] = {"tuning": {"name": "full"}, "data": {"validation_share": 0}}
    shared["data"] |= {"packing": True, "max_length": 96}
    first = train(model, "whole", training=whole, **shared)
    second = train(model, "parts", training=parts, **shared)
    for step, loss in losses(first).items():
        tolerance = 2e-2 if family == "gpt2" else 1e-5  # dropout draws by the batch's shape
        assert losses(second)[step] == pytest.approx(loss, rel=tolerance)


def test_head_with_a_cap_takes_the_ordinary_path(llama: Path) -> None:
    model = model_at(llama)
    plain = TokenLossOf(model, CrossEntropy())
    assert plain.chunked
    forward = model.forward

    def capped(*args: Any, **options: Any) -> Any:
        output = forward(*args, **options)
        output.logits = 3 * torch.tanh(output.logits / 3)
        return output

    model.forward = capped
    assert output_head(model) is None
    rows = rows_of([8, 8])
    batch = Collator(rows, 0, packed=False)([[0], [1]])
    batch.pop("tokens")
    labels, _ = batch.pop("labels"), batch.pop("rows")
    total = TokenLossOf(model, CrossEntropy())(model, batch, labels)
    logits = capped(**batch).logits
    expected = cross_entropy(
        logits[:, :-1].reshape(-1, logits.shape[-1]), labels[:, 1:].reshape(-1), reduction="sum"
    )
    torch.testing.assert_close(total, expected)


def test_adapter_on_the_head_is_trained_exactly(llama: Path) -> None:
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    base = model_at(llama, tie_word_embeddings=False)
    settings = LoraConfig(
        r=4, target_modules=["q_proj", "lm_head"], task_type="CAUSAL_LM", init_lora_weights=False
    )
    model = get_peft_model(base, settings).eval()
    token_loss = TokenLossOf(model, CrossEntropy())
    assert not token_loss.chunked
    rows = rows_of([8, 12])
    batch = Collator(rows, 0, packed=False)([[0], [1]])
    batch.pop("tokens")
    labels, _ = batch.pop("labels"), batch.pop("rows")
    total = token_loss(model, batch, labels)
    logits = model(**batch).logits
    expected = cross_entropy(
        logits[:, :-1].reshape(-1, logits.shape[-1]), labels[:, 1:].reshape(-1), reduction="sum"
    )
    torch.testing.assert_close(total, expected)
