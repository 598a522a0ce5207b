"""A model answers: whole, piece by piece, stopped, cancelled, with several adapters."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from maxaillm.dev.finetune.hf import loading
from maxaillm.dev.finetune.hf.generation.streaming import TextPieces
from maxaillm.dev.finetune.hf.loading import load_tokenizer
from maxaillm.model.llm import MaxHuggingFaceLLM, PromptTooLongError, Usage
from maxaillm.model.sampling import SamplingOptions
from tests import tiny
from tests.engine.conftest import Train

GREEDY = SamplingOptions(temperature=0, max_new_tokens=12)
QUESTION = [{"role": "user", "content": "What is red?"}]


@pytest.fixture(scope="module")
def llm(llama: Path) -> MaxHuggingFaceLLM:
    return MaxHuggingFaceLLM(str(llama), device="cpu")


def listen(stream: Generator[str, None, Usage]) -> tuple[list[str], Usage]:
    pieces: list[str] = []
    while True:
        try:
            pieces.append(next(stream))
        except StopIteration as end:
            return pieces, end.value


def test_pieces_add_up_to_the_answer(llm: MaxHuggingFaceLLM) -> None:
    pieces, usage = listen(llm.stream(QUESTION, GREEDY))
    assert "".join(pieces) == llm.chat(QUESTION, GREEDY)
    assert usage.completion_tokens <= 12
    assert usage.finish_reason in {"stop", "length"}
    assert usage.prompt_tokens > 10


def test_the_same_seed_gives_the_same_answer(llm: MaxHuggingFaceLLM) -> None:
    options = SamplingOptions(temperature=1.5, seed=3, max_new_tokens=20)
    other = SamplingOptions(temperature=1.5, seed=4, max_new_tokens=20)
    assert llm.chat(QUESTION, options) == llm.chat(QUESTION, options)
    assert llm.chat(QUESTION, options) != llm.chat(QUESTION, other)


def test_cancelling_ends_at_the_next_token(llm: MaxHuggingFaceLLM) -> None:
    asked = iter([False, False, True])
    options = SamplingOptions(temperature=0, max_new_tokens=200)
    _, usage = listen(llm.stream(QUESTION, options, should_stop=lambda: next(asked)))
    assert usage == Usage(usage.prompt_tokens, 3, "cancelled")


def test_closing_the_stream_ends_the_work(llm: MaxHuggingFaceLLM) -> None:
    stream = llm.stream(QUESTION, SamplingOptions(temperature=1, seed=1, max_new_tokens=300))
    next(stream)
    stream.close()
    assert llm.chat(QUESTION, GREEDY) == llm.chat(QUESTION, GREEDY)


def test_a_prompt_that_leaves_no_room_is_refused(llm: MaxHuggingFaceLLM) -> None:
    with pytest.raises(PromptTooLongError) as caught:
        llm.generate("x" * 600)
    assert caught.value.hint


def test_a_missing_gpu_is_told_and_the_cpu_is_used(llama: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.warns(UserWarning, match="no CUDA device"):
        assert MaxHuggingFaceLLM(str(llama), device="cuda").device.type == "cpu"


def pieces_of(text: str, folder: Path, *stop: str) -> list[str]:
    tokenizer = load_tokenizer(tiny.save_tokenizer(folder))
    pieces = TextPieces(tokenizer, stop)
    made: list[str] = []
    for token in tokenizer(text).input_ids:
        made += pieces.add(token)
        if pieces.is_stopped:
            break
    return made + list(pieces.rest())


def test_a_piece_never_ends_inside_a_character(tmp_path: Path) -> None:
    text = "Zoë 🙂 日本"
    pieces = pieces_of(text, tmp_path)
    assert "".join(pieces) == text
    assert "🙂" in pieces


@pytest.mark.parametrize(
    ("text", "stop", "expected"),
    [
        ("one END two", ("END",), "one "),
        ("one EN two", ("END",), "one EN two"),
        ("abc", ("c", "bc"), "a"),
        ("ends EN", ("END",), "ends EN"),
        ("stop", ("stop",), ""),
    ],
)
def test_nothing_of_a_stop_string_is_shown(
    tmp_path: Path, text: str, stop: tuple[str, ...], expected: str
) -> None:
    assert "".join(pieces_of(text, tmp_path, *stop)) == expected


def test_one_base_serves_several_adapters(llama: Path, train: Train, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 2)):
        training = {"max_steps": 6, "learning_rate": 0.05, "seed": seed}
        train(llama, name, training=training, data={"train_on": "all"})
    llm = MaxHuggingFaceLLM(str(llama), device="cpu")
    bare = llm.chat(QUESTION, GREEDY)
    llm.load_adapter("a", tmp_path / "a" / "model")
    llm.load_adapter("b", tmp_path / "b" / "model")
    answers: dict[str | None, str] = {}
    for name in ("a", "b", None):
        llm.set_adapter(name)
        answers[name] = llm.chat(QUESTION, GREEDY)
    assert answers[None] == bare
    for name in ("a", "b"):
        alone = MaxHuggingFaceLLM(tmp_path / name / "model", device="cpu")
        assert alone.chat(QUESTION, GREEDY) == answers[name]
    assert len(set(answers.values())) > 1


def test_virtual_tokens_take_room(gpt2: Path, train: Train, tmp_path: Path) -> None:
    tuning = {"name": "prompt_tuning", "num_virtual_tokens": 30}
    train(gpt2, tuning=tuning, training={"max_steps": 1})
    llm = MaxHuggingFaceLLM(tmp_path / "run" / "model", device="cpu", max_length=4096)
    assert llm.max_length == 512 - 30
    pieces, usage = listen(llm.stream("x" * 440, SamplingOptions(temperature=1, seed=1)))
    assert usage.completion_tokens <= 42
    assert pieces
    llm.set_adapter(None)
    assert llm.max_length == 512


def test_an_adapter_may_lie_on_the_hub(
    llama: Path, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(llama, training={"max_steps": 1})
    monkeypatch.setattr(loading, "download", {"team/bot": tmp_path / "run" / "model"}.get)
    llm = MaxHuggingFaceLLM("team/bot", device="cpu")
    assert llm.adapter == "default"
    assert llm.chat(QUESTION, GREEDY) is not None
