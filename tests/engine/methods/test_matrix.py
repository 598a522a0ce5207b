"""Every task x family x method: trained, saved, opened again, it says the same; or it is refused.

The whole product takes a quarter of an hour: pytest -m slow tests/engine/methods/test_matrix.py
"""

from __future__ import annotations

from itertools import product

import pytest
import torch

from docs import method_table
from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.dev.finetune.methods import methods
from maxaillm.dev.finetune.tasks import TASKS
from maxaillm.model.sampling import SamplingOptions
from tests.engine.methods.matrix import HOMES, PROMPT, Case, Workshop, logits
from tests.families import FAMILIES

WITH_EVERY_METHOD = ("seq2seq_lm", "sequence_classification")
"""By default; test_methods.py tries every method on causal models."""
SOON = [
    *(Case(*parts) for parts in product(TASKS, FAMILIES, ("full", "lora"))),
    *(Case(task, HOMES[task], name) for task in WITH_EVERY_METHOD for name in methods),
]
WHOLE = [Case(*parts) for parts in product(TASKS, FAMILIES, methods)]
LATER = [pytest.param(case, marks=pytest.mark.slow) for case in WHOLE if case not in set(SOON)]
CASES = [*dict.fromkeys(SOON), *LATER]
TELLS = {
    "causal_lm": "text",
    "preference": "text",
    "seq2seq_lm": "text",
    "sequence_classification": "labels",
    "token_classification": "words",
    "masked_lm": "gaps",
}
"""What an answer tells, by the task."""


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("matrix"))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_was_saved_says_what_was_trained_or_is_refused(case: Case, workshop: Workshop) -> None:
    if case.refusal:
        with pytest.raises(FineTuneError) as refused:
            workshop.train(case)
        assert case.refusal.removeprefix(case.family) in str(refused.value)
        assert refused.value.hint
        return
    trained = workshop.train(case)
    opened = workshop.open(case, trained.folder)
    encoded = opened.tokenizer(PROMPT, return_tensors="pt")
    inputs = {name: encoded[name] for name in ("input_ids", "attention_mask")}
    expected = logits(trained.model, inputs)
    torch.testing.assert_close(logits(opened.answering, inputs), expected, rtol=1e-4, atol=1e-5)
    assert (opened.card.task, opened.card.max_length) == (case.task, 48)
    mask = opened.tokenizer.mask_token or ""
    said = opened.answer(f"{PROMPT} {mask}", None, SamplingOptions(max_new_tokens=2))
    assert said[TELLS[case.task]] or case.task in {"causal_lm", "preference", "seq2seq_lm"}


def test_the_table_names_the_families_that_are_tried(workshop: Workshop) -> None:
    from maxaillm.dev.finetune.model_files.folder import read_json

    made = {name: read_json(workshop.base(name) / "config.json") for name in FAMILIES}
    told = {name: settings["architectures"] for name, settings in made.items()}
    assert told == {name: [kind] for name, kind in method_table.FAMILIES.items()}
    assert [settings["model_type"] for settings in made.values()] == list(FAMILIES)


def test_the_page_of_methods_is_up_to_date() -> None:
    assert method_table.PAGE.read_text() == method_table.text()
