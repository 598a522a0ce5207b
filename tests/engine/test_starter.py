"""The starter model and the sample: complete, small, well-formed, and honestly held out."""

from __future__ import annotations

import json
import random
import re
from itertools import islice
from typing import Any

import pytest

from maxaillm.dev.finetune.data.reading.validate import validate
from maxaillm.starter import (
    SAMPLE,
    SAMPLE_RECIPE,
    STARTER_MODELS,
    StarterModel,
    resolve,
)
from maxaillm.starter.corpus import generated

LARGEST_BYTES = 10_000_000
CHAT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is a kettle?"},
    {"role": "assistant", "content": "A pot for boiling water."},
    {"role": "user", "content": "Thanks."},
    {"role": "assistant", "content": "You are welcome."},
]


@pytest.fixture(scope="module", params=STARTER_MODELS.values(), ids=STARTER_MODELS.keys())
def starter(request: pytest.FixtureRequest) -> StarterModel:
    model: StarterModel = request.param
    return model


@pytest.fixture(scope="module")
def tokenizer(starter: StarterModel) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(starter.path)


@pytest.fixture(scope="module")
def model(starter: StarterModel) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(starter.path).eval()


def test_folder_is_small_and_has_a_card(starter: StarterModel) -> None:
    files = [path for path in starter.path.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < LARGEST_BYTES
    assert "can't do" in (starter.path / "README.md").read_text(encoding="utf-8")
    assert {path.suffix for path in files} <= {".json", ".safetensors", ".jinja", ".md"}


def test_weights_load_as_float32(model: Any) -> None:
    import torch

    assert model.dtype == torch.float32
    assert all(torch.isfinite(parameter).all() for parameter in model.parameters())


def test_special_tokens_agree(model: Any, tokenizer: Any) -> None:
    assert tokenizer.pad_token_id != tokenizer.eos_token_id
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id
    assert model.generation_config.pad_token_id == tokenizer.pad_token_id
    assert model.config.vocab_size == len(tokenizer)


def test_text_survives_the_tokenizer(tokenizer: Any) -> None:
    text = 'Ünïcode, "quotes",  two spaces,\n\ta tab, 12345 and 日本語.'
    ids = tokenizer.encode(text)
    assert ids[0] == tokenizer.bos_token_id
    assert tokenizer.decode(ids, skip_special_tokens=True) == text


def test_template_masks_exactly_what_the_assistant_says(tokenizer: Any) -> None:
    encoded = tokenizer.apply_chat_template(
        CHAT, return_dict=True, return_assistant_tokens_mask=True
    )
    ids, mask = encoded["input_ids"], encoded["assistant_masks"]
    trained = tokenizer.decode(
        [token for token, is_trained in zip(ids, mask, strict=True) if is_trained]
    )
    assert trained == "A pot for boiling water.<|end|>You are welcome.<|end|>"
    assert ids.count(tokenizer.bos_token_id) == 1


def test_prompt_is_the_beginning_of_the_whole_conversation(tokenizer: Any) -> None:
    prompt = tokenizer.apply_chat_template(CHAT[:-1], add_generation_prompt=True, tokenize=False)
    whole = tokenizer.apply_chat_template(CHAT, tokenize=False)
    assert whole == prompt + "You are welcome.<|end|>"


def test_unknown_role_is_refused(tokenizer: Any) -> None:
    from jinja2 import TemplateError

    with pytest.raises(TemplateError, match="robot"):
        tokenizer.apply_chat_template([{"role": "robot", "content": "?"}], tokenize=False)


def test_model_knows_the_form_of_a_chat(model: Any, tokenizer: Any) -> None:
    """It answers in a sentence and ends its turn; whether that is true is another matter."""
    chat = [{"role": "user", "content": "What is the capital of France?"}]
    inputs = tokenizer.apply_chat_template(
        chat, add_generation_prompt=True, return_dict=True, return_tensors="pt"
    )
    output = model.generate(**inputs, do_sample=False, max_new_tokens=32)
    begin = inputs["input_ids"].shape[1]
    answer = tokenizer.decode(output[0, begin:], skip_special_tokens=True).strip()
    assert re.fullmatch(r"The capital of [A-Z].* is [A-Z].*\.", answer)


def sample_rows(split: str) -> list[dict[str, Any]]:
    rows = map(json.loads, SAMPLE.read_text(encoding="utf-8").splitlines())
    return [row for row in rows if row["split"] == split]


def test_sample_rows_are_well_formed() -> None:
    for row in sample_rows("train") + sample_rows("validation"):
        assert list(row) == ["messages", "split"]
        assert [message["role"] for message in row["messages"]] == ["user", "assistant"]
        for message in row["messages"]:
            assert set(message) == {"role", "content"}
            assert message["content"] == message["content"].strip() != ""


def test_heldout_questions_are_new_and_their_answers_known() -> None:
    train, heldout = (
        [[message["content"] for message in row["messages"]] for row in sample_rows(split)]
        for split in ("train", "validation")
    )
    questions = [re.findall(r"[a-z0-9]+", question.lower()) for question, _ in train + heldout]
    assert len({tuple(question) for question in questions}) == len(train) + len(heldout) == 664
    assert {answer for _, answer in heldout} == {answer for _, answer in train}


def test_heldout_rows_are_not_nearly_those_of_training() -> None:
    report = validate(SAMPLE)
    assert (report.rows, report.splits) == (664, {"train": 498, "validation": 166})
    assert "leakage" not in report.codes


def test_corpus_does_not_know_the_product() -> None:
    for document in islice(generated(seed=1), 2000):
        assert "maxft" not in str(document).lower()


def test_corpus_repeats_itself_for_the_same_seed() -> None:
    assert [*islice(generated(seed=5), 50)] == [*islice(generated(seed=5), 50)]
    assert [*islice(generated(seed=5), 50)] != [*islice(generated(seed=6), 50)]


def test_resolve_knows_starters_only(starter: StarterModel) -> None:
    assert resolve(starter.name) == starter.path
    assert resolve("someone/else") is None
    assert SAMPLE_RECIPE["model"]["name"] in STARTER_MODELS


def test_sample_recipe_is_a_run_configuration() -> None:
    config = pytest.importorskip("maxaillm.dev.finetune.config")
    dataset = {"train_file": str(SAMPLE)}
    recipe = {**SAMPLE_RECIPE, "data": {**SAMPLE_RECIPE["data"], **dataset}}
    assert config.RunConfig.parse(recipe).tuning.name == SAMPLE_RECIPE["tuning"]["name"]


def test_generator_state_is_not_shared() -> None:
    random.seed(0)
    before = random.getstate()
    [*islice(generated(seed=2), 20)]
    assert random.getstate() == before
