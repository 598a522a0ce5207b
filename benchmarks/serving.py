"""Serving: the batch engine beside transformers' `generate`, one answer after the other.

`python -m benchmarks.serving starter|llama [threads]`. In one process, the same model and prompts:
60 random tokens, answers of 100, end token off, greedy, warm; each way three times in turn, of
which the median counts. A token is one of an answer; prompts' work is part of the time. Answers are
compared token by token. Both processor and wall time are printed: on a busy machine only the first
means anything. A lone user's rate is that of the engine without its thread, as `generate`'s is.
"""

from __future__ import annotations

import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

PROMPT, ANSWER, REPEATS = 60, 100, 3
RANK = 8
ADAPTERS = 32
MANY_USERS = 100
LLAMA_17M = {
    "vocab_size": 50_257,
    "hidden_size": 256,
    "intermediate_size": 704,
    "num_hidden_layers": 6,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "max_position_embeddings": 2048,
    "tie_word_embeddings": True,
}


class Spent(NamedTuple):
    """Seconds of the processor and of the clock, and what was made in them."""

    cpu: float
    wall: float
    made: Any


def spent(work: Callable[[], Any]) -> Spent:
    cpu, wall = time.process_time(), time.perf_counter()
    made = work()
    return Spent(time.process_time() - cpu, time.perf_counter() - wall, made)


def in_turn(ways: Sequence[Callable[[], Any]]) -> list[Spent]:
    """The median of each way, by processor time, having run them alternately."""
    runs = [[spent(way) for way in ways] for _ in range(REPEATS)]
    columns = zip(*runs, strict=True)
    return [sorted(column, key=lambda it: it.cpu)[REPEATS // 2] for column in columns]


class Bench:
    """One model, both ways."""

    def __init__(self, name: str) -> None:
        import torch
        import transformers

        from maxaillm import starter
        from maxaillm.model.batching.adapters import AdapterPool
        from maxaillm.model.batching.engine import BatchEngine
        from maxaillm.model.batching.logprobs import TokenWords
        from maxaillm.model.batching.support import twin_of

        folder = starter.FOLDER / "chat"
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        torch.manual_seed(0)
        if name == "starter":
            self.model = transformers.AutoModelForCausalLM.from_pretrained(
                folder, dtype=torch.float32
            )
        else:
            settings = transformers.LlamaConfig(**LLAMA_17M)
            self.model = transformers.LlamaForCausalLM(settings)
        self.model.eval().generation_config.eos_token_id = None
        self.bare = deepcopy(self.model)
        twin = twin_of(self.model)
        self.pool = AdapterPool(twin, 10**10)
        self.engine = BatchEngine(twin, TokenWords(self.tokenizer), self.pool, 10**10)
        self.random = random.Random(0)

    def prompt(self, length: int = PROMPT) -> list[int]:
        return [self.random.randrange(10, 4000) for _ in range(length)]

    def generate(self, model: Any, prompt: Sequence[int], count: int = ANSWER) -> list[int]:
        import torch

        made = model.generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            max_new_tokens=count,
            do_sample=False,
            temperature=None,
            top_p=None,
            top_k=None,
            pad_token_id=0,
        )
        tokens: list[int] = made[0].tolist()
        return tokens

    def answer(self, prompt: Sequence[int], adapter: str | None = None, count: int = ANSWER) -> Any:
        from maxaillm.dev.finetune.hf.generation.streaming import TextPieces
        from maxaillm.model.batching.batched_answer import AnswerReader, BatchedAnswer
        from maxaillm.model.batching.sampler import Sampler
        from maxaillm.model.sampling import SamplingOptions

        sampler = Sampler(SamplingOptions(temperature=0), prompt)
        reader = AnswerReader(TextPieces(self.tokenizer))
        return BatchedAnswer(list(prompt), sampler, reader, most=count, adapter=adapter)

    def batch(self, answers: Sequence[Any]) -> list[list[int]]:
        """No beginning that was computed before may help."""
        self.engine.beginnings.left.clear()
        for answer in answers:
            self.engine.join(answer)
        while self.engine.answers:
            self.engine.step()
        return [answer.tokens for answer in answers]

    def save_adapters(self, count: int, root: Path) -> list[Path]:
        import peft
        import torch

        folders = []
        for number in range(count):
            torch.manual_seed(number)
            config = peft.LoraConfig(
                task_type="CAUSAL_LM",
                r=RANK,
                target_modules="all-linear",
                init_lora_weights=False,
            )
            made = peft.get_peft_model(deepcopy(self.bare), config)
            made.save_pretrained(root / str(number))
            folders.append(root / str(number))
        return folders


def report(what: str, users: int, alone: Spent, together: Spent) -> None:
    tokens = users * ANSWER
    equal = sum(a == b for a, b in zip(alone.made, together.made, strict=True))
    print(
        f"{what:24} {tokens / alone.cpu:7.0f} -> {tokens / together.cpu:7.0f} tokens/CPU-s "
        f"({alone.cpu / together.cpu:.2f}x); wall {tokens / alone.wall:.0f} -> "
        f"{tokens / together.wall:.0f} ({alone.wall / together.wall:.2f}x); "
        f"{equal} of {users} answers equal"
    )


def users_on_one_base(bench: Bench) -> None:
    for users in (1, 8, 32):
        prompts = [bench.prompt() for _ in range(users)]
        ways = (
            lambda prompts=prompts: [bench.generate(bench.model, prompt) for prompt in prompts],
            lambda prompts=prompts: bench.batch([bench.answer(prompt) for prompt in prompts]),
        )
        report(f"{users} users", users, *in_turn(ways))


def first_token(bench: Bench) -> None:
    prompts = [bench.prompt() for _ in range(20)]
    ways = (
        lambda: [bench.generate(bench.model, prompt, 1) for prompt in prompts],
        lambda: [bench.batch([bench.answer(prompt, count=1)]) for prompt in prompts],
    )
    alone, together = in_turn(ways)
    print(
        f"first token, alone       {alone.cpu / 20 * 1e3:.1f} -> {together.cpu / 20 * 1e3:.1f} "
        f"CPU-ms; wall {alone.wall / 20 * 1e3:.1f} -> {together.wall / 20 * 1e3:.1f} ms"
    )


def adapters(bench: Bench, root: Path) -> None:
    import peft
    import torch

    from maxaillm.model.batching.adapter_files import read_lora

    folders = bench.save_adapters(ADAPTERS, root)
    before = resident_bytes()
    switches = []
    for folder in folders:
        begun = time.process_time()
        bench.pool.add(str(folder), read_lora(folder, torch.device("cpu")), ())
        switches.append(time.process_time() - begun)
    grown = resident_bytes() - before
    weights = sum(t.numel() * t.element_size() for t in bench.bare.parameters())
    print(
        f"{ADAPTERS} adapters, rank {RANK}     {bench.pool.bytes / 1e6:.1f} MB beside weights of "
        f"{weights / 1e6:.1f} MB ({bench.pool.bytes / weights:.0%}); the process grew by "
        f"{grown / 1e6:.1f} MB of {before / 1e6:.0f} ({grown / before:.1%}); read and laid in "
        f"{statistics.median(switches) * 1e3:.1f} CPU-ms, {max(switches) * 1e3:.1f} at most"
    )
    few = folders[:8]
    tuned = peft.PeftModel.from_pretrained(deepcopy(bench.bare), few[0], adapter_name="0")
    for number, folder in enumerate(few[1:], start=1):
        tuned.load_adapter(folder, adapter_name=str(number))
    tuned.eval()
    prompts = [bench.prompt() for _ in few]

    def one_by_one() -> list[list[int]]:
        made = []
        for number, prompt in enumerate(prompts):
            tuned.set_adapter(str(number))
            made.append(bench.generate(tuned, prompt))
        return made

    pairs = list(zip(prompts, map(str, few), strict=True))
    ways = (one_by_one, lambda: bench.batch([bench.answer(*pair) for pair in pairs]))
    report("8 users, 8 adapters", 8, *in_turn(ways))


def many_users(bench: Bench) -> None:
    """All ask at once; the wait of each for its first token, by processor time."""
    answers = [bench.answer(bench.prompt(), count=40) for _ in range(MANY_USERS)]
    bench.engine.beginnings.left.clear()
    for answer in answers:
        bench.engine.join(answer)
    begun, first, rates = time.process_time(), dict[int, float](), dict[int, float]()
    while bench.engine.answers:
        bench.engine.step()
        now = time.process_time() - begun
        for number, answer in enumerate(answers):
            if answer.completion_tokens and number not in first:
                first[number] = now
            if answer.finish and number not in rates:
                rates[number] = 40 / max(now - first[number], 1e-9)
    waits = sorted(first.values())
    total, squares = sum(rates.values()), sum(rate**2 for rate in rates.values())
    print(
        f"{MANY_USERS} users at once       first token after {statistics.median(waits):.2f} CPU-s "
        f"(p95 {waits[int(0.95 * len(waits))]:.2f}), all done after "
        f"{time.process_time() - begun:.2f}; Jain's index of their rates "
        f"{total**2 / (len(rates) * squares):.3f}"
    )


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def main(name: str, threads: int) -> None:
    import os

    import torch

    torch.set_num_threads(threads)
    bench = Bench(name)
    millions = bench.bare.num_parameters() / 1e6
    print(f"{name}: {millions:.1f} M parameters, {threads} threads, load {os.getloadavg()[0]:.1f}")
    bench.batch([bench.answer(bench.prompt(), count=5)])
    bench.generate(bench.model, bench.prompt(), 5)
    users_on_one_base(bench)
    first_token(bench)
    with tempfile.TemporaryDirectory() as root:
        adapters(bench, Path(root))
    many_users(bench)
    print(f"load at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "starter", int((sys.argv[2:] or ["1"])[0]))
