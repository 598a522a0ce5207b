"""GGUF files: every type of weights, and tokenizers that come out as they went in."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Regex, Tokenizer, decoders, normalizers, pre_tokenizers, trainers
from tokenizers.models import BPE, Unigram
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from maxaillm.dev.finetune.errors import ExportError
from maxaillm.dev.finetune.exports.gguf import ROUNDINGS, Gguf
from maxaillm.dev.finetune.exports.shared.export import export_model
from maxaillm.dev.finetune.exports.shared.gguf_encoding import encode
from maxaillm.dev.finetune.exports.shared.gguf_fit import LLAMA_3, PRE_TOKENIZERS
from maxaillm.dev.finetune.exports.shared.gguf_tokenizer import GgufTokenizer

TEXTS = [
    "the quick brown fox jumps over the lazy dog",
    "numbers 1234 and 56.78 in a row",
    "Grüße aus Köln, 東京 and 🙂!",
    "  spaces   here\n\nand\tthere ",
    "it's they're I'LL don't",
]
QWEN_2 = LLAMA_3.replace("{1,3}", "")
STEPS: dict[str, Callable[[], list[Any]]] = {
    "gpt-2": lambda: [pre_tokenizers.ByteLevel(add_prefix_space=False)],
    "smollm": lambda: [
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False),
    ],
    "qwen2": lambda: [split(QWEN_2), pre_tokenizers.ByteLevel(False, use_regex=False)],
    "llama-bpe": lambda: [split(LLAMA_3), pre_tokenizers.ByteLevel(False, use_regex=False)],
}


def split(pattern: str) -> Any:
    return pre_tokenizers.Split(Regex(pattern), behavior="isolated")


def byte_level(steps: Sequence[Any], *, ignore_merges: bool = False) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(BPE(ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(list(steps))
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS * 3, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")


def sentencepiece_like() -> PreTrainedTokenizerFast:
    """A vocabulary with a token for each byte, and ▁ for spaces, as Llama 2 has it."""
    trained = Tokenizer(BPE(unk_token="<unk>"))
    trained.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=340, special_tokens=special, show_progress=False)
    trained.train_from_iterator([text for text in TEXTS if text.isascii()] * 3, trainer)
    model = json.loads(trained.to_str())["model"]
    merges = [tuple(merge) for merge in model["merges"]]
    tokenizer = Tokenizer(
        BPE(model["vocab"], merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True)
    )
    tokenizer.normalizer = trained.normalizer
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


def test_each_way_to_cut_texts_is_tested() -> None:
    assert STEPS.keys() == PRE_TOKENIZERS.keys()


@pytest.mark.parametrize("name", STEPS)
def test_a_byte_level_tokenizer_comes_out_as_it_went_in(name: str) -> None:
    tokenizer = byte_level(STEPS[name](), ignore_merges=name == "llama-bpe")
    entries = GgufTokenizer.of(tokenizer, 330)
    assert (entries.model, entries.pre, entries.add_bos) == ("gpt2", name, False)
    for text in TEXTS:
        assert encode(entries, text) == tokenizer(text).input_ids


def test_a_sentencepiece_like_tokenizer_comes_out_as_it_went_in() -> None:
    tokenizer = sentencepiece_like()
    entries = GgufTokenizer.of(tokenizer, 345)
    assert (entries.model, entries.add_bos, entries.add_space_prefix) == ("llama", True, True)
    assert entries.tokens[340:] == [f"[PAD{number}]" for number in range(340, 345)]
    for text in [text for text in TEXTS if "\n" not in text]:
        assert encode(entries, text) == tokenizer(text).input_ids


def test_other_tokenizers_are_refused() -> None:
    unigram = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(Unigram([("a", 0.0)])))
    with pytest.raises(ExportError, match="Unigram"):
        GgufTokenizer.of(unigram, 10)
    odd = byte_level([split(r"\d"), pre_tokenizers.ByteLevel(False)])
    with pytest.raises(ExportError, match="cuts texts"):
        GgufTokenizer.of(odd, 330)


@pytest.fixture(scope="module")
def reports(llama: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Type -> (parity report, size of the file), for each type once."""
    made = {}
    for kind in ROUNDINGS:
        folder = tmp_path_factory.mktemp("gguf") / "out"
        export_model(Gguf(type=kind), llama, folder)  # type: ignore[arg-type]
        parity = json.loads((folder / "parity.json").read_bytes())
        made[kind] = (parity, (folder / "model.gguf").stat().st_size)
    return made


@pytest.mark.parametrize("kind", ROUNDINGS)
def test_a_file_of_each_type_holds_the_weights_it_rounded_to(
    kind: str, reports: dict[str, Any]
) -> None:
    parity, _ = reports[kind]
    assert parity["passed"]
    assert parity["max_logit_difference"] < 1e-5
    assert (parity["rounding"]["max_logit_difference"] > 0) == (kind != "F32")


def test_fewer_bits_make_smaller_and_rougher_files(reports: dict[str, Any]) -> None:
    order = ["F32", "F16", "Q8_0", "Q5_0", "Q4_0"]
    sizes = [reports[kind][1] for kind in order]
    assert sizes == sorted(sizes, reverse=True)
    losses = [reports[kind][0]["rounding"]["max_logit_difference"] for kind in order]
    assert losses == sorted(losses)
