"""Sampled answers to fixed prompts while training, so that one sees what the model learns."""

from __future__ import annotations

from typing import Any

from transformers import PreTrainedTokenizerBase as Tokenizer

from maxaillm.dev.finetune.hf.batches.chat_template import encode_prompt


def answer(model: Any, tokenizer: Tokenizer, prompt: str, max_new_tokens: int) -> str:
    """The likeliest answer of a model that is in evaluation mode. Greedy: it draws no random
    number, so training is not disturbed."""
    encoded = {name: t.to(model.device) for name, t in encode_prompt(tokenizer, prompt).items()}
    output = model.generate(
        **encoded,
        max_new_tokens=max_new_tokens,
        do_sample=False,
        use_cache=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=end_tokens(model, tokenizer),
    )
    text: str = tokenizer.decode(
        output[0, encoded["input_ids"].shape[1] :], skip_special_tokens=True
    )
    return text.strip()


def end_tokens(model: Any, tokenizer: Tokenizer) -> list[int]:
    """Every token that ends an answer: the model's own and the tokenizer's."""
    known = model.generation_config.eos_token_id
    ends = {tokenizer.eos_token_id, *(known if isinstance(known, list) else [known])}
    return sorted(end for end in ends if end is not None)
