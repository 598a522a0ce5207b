"""How many of the sample's held-out questions a model answers right.

``python -m maxaillm.starter.score MODEL_FOLDER [--adapter FOLDER]``

The rule: the greedy answer, in lower case and without punctuation, equals the reference; or it
shares at least 80 % of the words with it (F1) and no other answer of the sample is nearer.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from maxaillm.starter import SAMPLE_HELDOUT, resolve

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

LEAST_F1 = 0.8
BATCH_SIZE = 32
LONGEST_ANSWER_TOKENS = 64


@dataclass(frozen=True)
class Answered:
    """One held-out question with the reference and what the model said."""

    question: str
    reference: str
    answer: str
    right: bool


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """Question and answer of each row of a file in the ``messages`` format."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [(row["messages"][0]["content"], row["messages"][-1]["content"]) for row in rows]


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def word_f1(answer: str, reference: str) -> float:
    """Harmonic mean of precision and recall over words, as in SQuAD's evaluation."""
    said, wanted = words(answer), words(reference)
    shared = sum((Counter(said) & Counter(wanted)).values())
    return 2 * shared / (len(said) + len(wanted)) if shared else 0.0


def is_right(answer: str, reference: str, references: Sequence[str]) -> bool:
    if words(answer) == words(reference):
        return True
    likeness = word_f1(answer, reference)
    return likeness >= LEAST_F1 and likeness >= max(word_f1(answer, r) for r in references)


def score(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, pairs: list[tuple[str, str]]
) -> list[Answered]:
    """Ask every question, greedily, in batches."""
    references = sorted({reference for _, reference in pairs})
    results = []
    for start in range(0, len(pairs), BATCH_SIZE):
        batch = pairs[start : start + BATCH_SIZE]
        answers = generate(model, tokenizer, [question for question, _ in batch])
        results += [
            Answered(question, reference, answer, is_right(answer, reference, references))
            for (question, reference), answer in zip(batch, answers, strict=True)
        ]
    return results


def generate(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, questions: list[str]
) -> list[str]:
    import torch

    tokenizer.padding_side = "left"  # so that every answer begins right after its question
    chats = [[{"role": "user", "content": question}] for question in questions]
    inputs = tokenizer.apply_chat_template(
        chats,
        add_generation_prompt=True,
        padding=True,
        return_dict=True,
        return_tensors="pt",
    )
    with torch.inference_mode():
        output = model.generate(**inputs, do_sample=False, max_new_tokens=LONGEST_ANSWER_TOKENS)
    answers = output[:, inputs["input_ids"].shape[1] :]
    return [text.strip() for text in tokenizer.batch_decode(answers, skip_special_tokens=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="a folder, or the name of a starter model")
    parser.add_argument("--adapter", type=Path, help="a LoRA adapter to put on top")
    parser.add_argument("--questions", type=Path, default=SAMPLE_HELDOUT)
    parser.add_argument("--show", action="store_true", help="print each question with its answer")
    options = parser.parse_args()

    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = resolve(options.model) or options.model
    model = AutoModelForCausalLM.from_pretrained(folder)
    if options.adapter:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, options.adapter)
    results = score(
        model.eval(), AutoTokenizer.from_pretrained(folder), read_pairs(options.questions)
    )
    for result in results if options.show else ():
        mark = "right" if result.right else "WRONG"
        sys.stdout.write(f"{mark}  {result.question}\n       {result.answer}\n")
    right = sum(result.right for result in results)
    sys.stdout.write(f"{right} of {len(results)} right, {right / len(results):.1%}\n")


if __name__ == "__main__":
    main()
