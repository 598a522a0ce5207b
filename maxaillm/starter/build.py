"""Makes a starter model from its corpus: ``python -m maxaillm.starter.build FOLDER --steps N``.

What it has done lies in ``FOLDER.state`` and is gone on from. The learning rate stays level until
its descent, so that a build may be begun with many steps and ended with fewer.
"""

from __future__ import annotations

import argparse
import logging
import random
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from maxaillm.starter.corpus import generated, manual
from maxaillm.starter.tokenizer import CONTEXT, encode, train_tokenizer

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

logger = logging.getLogger(__name__)

SEED = 20
BATCH_TOKENS = 1024
# Documents from which batches of like length are drawn: large enough that padding is a few percent.
POOL_DOCUMENTS = 4000
TOKENIZER_DOCUMENTS = 20_000
MANUAL_SHARE = 0.03  # of the documents, until the manual has been read
LEARNING_RATE, WARMUP_STEPS, DESCENT, FINAL_SHARE = 1.5e-3, 100, 0.3, 0.02
LOG_EVERY = 100
KEEP_EVERY = 500


def new_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def documents(tokenizer: PreTrainedTokenizerFast, rng: random.Random) -> Iterator[list[int]]:
    """Tokens of generated documents, with pages of the manual mixed in."""
    pages = [encode(tokenizer, page) for page in manual()]
    rng.shuffle(pages)
    for document in generated(SEED):
        if pages and rng.random() < MANUAL_SHARE:
            yield pages.pop()
        yield encode(tokenizer, document)


def batches(stream: Iterator[list[int]], rng: random.Random, pad: int) -> Iterator[torch.Tensor]:
    """Batches of like length. Right padding needs no mask: under causal attention none sees it."""
    import torch

    while True:
        pool = sorted(islice(stream, POOL_DOCUMENTS), key=len)
        groups: list[list[list[int]]] = [[]]
        for document in pool:
            if len(document) * (len(groups[-1]) + 1) > BATCH_TOKENS:
                groups.append([])
            groups[-1].append(document)
        rng.shuffle(groups)
        for group in groups:
            longest = max(map(len, group))
            yield torch.tensor([[*row, *[pad] * (longest - len(row))] for row in group])


def learning_rate(step: int, steps: int) -> float:
    """Warm-up, a long plateau, and a linear descent in the last part."""
    rising = (step + 1) / WARMUP_STEPS
    falling = FINAL_SHARE + (1 - FINAL_SHARE) * (steps - step) / (DESCENT * steps)
    return LEARNING_RATE * min(rising, 1.0, falling)


def new_optimizer(model: LlamaForCausalLM) -> torch.optim.Optimizer:
    import torch

    decayed = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() == 1]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, betas=(0.9, 0.95), fused=True)


def train(model: LlamaForCausalLM, stream: Iterator[torch.Tensor], steps: int, state: Path) -> None:
    """Go on from `state`, where there is one, to `steps` in all."""
    import torch

    from maxaillm.dev.finetune.hf.loading.precision import choose_precision

    pad, optimizer = model.config.pad_token_id, new_optimizer(model)
    halved = choose_precision("auto", torch.device("cpu")) == "bf16"
    begin = recall(model, optimizer, state) if state.exists() else 0
    model.train()
    started, tokens, losses = time.monotonic(), 0, []
    for step, batch in enumerate(islice(stream, begin, steps), begin):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps)
        with torch.autocast("cpu", torch.bfloat16, enabled=halved):
            logits = model(input_ids=batch, use_cache=False).logits[:, :-1]
        loss = torch.nn.functional.cross_entropy(
            logits.float().flatten(0, 1), batch[:, 1:].flatten(), ignore_index=pad
        )
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        tokens += int((batch != pad).sum())
        losses.append(loss.item())
        if (step + 1) % LOG_EVERY == 0:
            seconds = time.monotonic() - started
            mean = sum(losses[-LOG_EVERY:]) / LOG_EVERY
            logger.info(
                "step %d of %d  loss %.3f  %.1f M tokens  %.0f tokens/s  %.1f min",
                *(step + 1, steps, mean, tokens / 1e6, tokens / seconds, seconds / 60),
            )
        if (step + 1) % KEEP_EVERY == 0:
            keep(model, optimizer, step + 1, state)


def keep(model: LlamaForCausalLM, optimizer: torch.optim.Optimizer, step: int, state: Path) -> None:
    import torch

    whole = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
    new = state.with_suffix(".new")
    torch.save(whole, new)
    new.replace(state)


def recall(model: LlamaForCausalLM, optimizer: torch.optim.Optimizer, state: Path) -> int:
    """The step that `state` was kept after."""
    import torch

    whole = torch.load(state, weights_only=True)
    model.load_state_dict(whole["model"])
    optimizer.load_state_dict(whole["optimizer"])
    return int(whole["step"])


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Weights as float16 to halve the file; the config says float32, which is what loads."""
    import torch
    from transformers import GenerationConfig

    model.half()
    model.generation_config = GenerationConfig(
        max_new_tokens=128,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    model.config.dtype = torch.float32
    model.config.save_pretrained(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=4400, help="of about 1,000 tokens each")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    import torch

    torch.set_num_threads(options.threads)
    torch.manual_seed(SEED)
    rng = random.Random(SEED)
    tokenizer = train_tokenizer([*islice(generated(SEED), TOKENIZER_DOCUMENTS), *manual()])
    model = new_model(tokenizer)
    logger.info("%.2f million parameters", model.num_parameters() / 1e6)
    stream = batches(documents(tokenizer, rng), rng, tokenizer.pad_token_id)
    train(model, stream, options.steps, options.folder.with_suffix(".state"))
    save(model, tokenizer, options.folder)


if __name__ == "__main__":
    main()
