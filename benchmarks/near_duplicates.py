"""Near duplicates among 100,000 rows: our check beside datasketch, in the same run.

Run: python -m benchmarks.near_duplicates [rows]
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from importlib.util import find_spec
from random import Random
from time import perf_counter, process_time

from maxaillm.dev.finetune.data.analysis.minhash import MINIMA, WINDOW
from maxaillm.dev.finetune.data.checks import checks
from maxaillm.dev.finetune.data.examples.text import Text
from maxaillm.dev.finetune.data.store.batch import Batch
from maxaillm.dev.finetune.processes.resources import peak_rss_bytes

TARGET_SECONDS, ROWS, CHARS, CHANGED = 60, 100_000, 200, 0.02
BATCH_ROWS = 10_000
PEER_ROWS = 5_000
THRESHOLD = checks["near_duplicate"].model_fields["threshold"].default


def made_rows(count: int) -> tuple[list[str], int]:
    """Texts of random words; a few of them are an earlier one with a word of five letters new."""
    random = Random(0)
    vocabulary = ["".join(random.choices("abcdefghijklmnopqrstuvwxyz", k=5)) for _ in range(50_000)]
    texts: list[str] = []
    copies = 0
    for _ in range(count):
        if texts and random.random() < CHANGED:
            words = random.choice(texts).split()
            words[random.randrange(len(words))] = random.choice(vocabulary)
            copies += 1
        else:
            words = random.choices(vocabulary, k=CHARS // 6)
        texts.append(" ".join(words))
    return texts, copies


def ours(texts: list[str]) -> int:
    check = checks["near_duplicate"].model_validate({})
    found = 0
    for start in range(0, len(texts), BATCH_ROWS):
        rows = [{"text": text} for text in texts[start : start + BATCH_ROWS]]
        batch = Batch(Text, range(start + 1, start + len(rows) + 1), rows)
        found += sum(1 for _ in check.see(batch))
    return found + sum(1 for _ in check.conclude())


def datasketch(texts: list[str]) -> int:
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=THRESHOLD, num_perm=MINIMA)
    found = 0
    for number, text in enumerate(texts):
        data = text.encode()
        signature = MinHash(num_perm=MINIMA)
        signature.update_batch([data[at : at + WINDOW] for at in range(len(data) - WINDOW + 1)])
        found += bool(index.query(signature))
        index.insert(number, signature)
    return found


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    texts, copies = made_rows(count)
    began, used = perf_counter(), process_time()
    found = ours(texts)
    seconds, processor = perf_counter() - began, process_time() - used
    peak = peak_rss_bytes() / 2**20
    print(f"ours         {seconds:6.1f} s for {count:,} rows ({processor:.1f} s of processor time)")
    print(f"             {found:,} named of {copies:,} changed copies; {peak:,.0f} MB at most")
    if find_spec("datasketch"):
        part = texts[:PEER_ROWS]
        began = perf_counter()
        datasketch(part)
        peer = (perf_counter() - began) * count / len(part)
        print(f"datasketch   {peer:6.1f} s, {peer / seconds:.0f} times as long: {len(part):,} rows")
        print(
            f"             measured, times {count / len(part):.0f}; version {version('datasketch')}"
        )
    else:
        print("datasketch   is not installed: left out (pip install datasketch==2.0.0)")
    print(f"target {TARGET_SECONDS} s; {os.cpu_count()} cores, rensa {version('rensa')}")
    print(f"conditions: rows of {CHARS} characters, {MINIMA} minima of windows of {WINDOW} bytes,")
    print(f"threshold {THRESHOLD}; the processes of others may take part of the cores")


if __name__ == "__main__":
    main()
