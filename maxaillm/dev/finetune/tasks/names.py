"""The names of the tasks, and which are alike: for components, which say whom they serve."""

from __future__ import annotations

TEXTS = frozenset({"causal_lm", "seq2seq_lm"})
"""Rows are answered in words."""
TOKENS = TEXTS | {"masked_lm"}
"""One token out of a vocabulary is learned."""
CLASSES = frozenset({"sequence_classification", "token_classification"})
"""Rows, or the words of rows, are classified."""
EVERY_TASK = TOKENS | CLASSES | {"preference"}
