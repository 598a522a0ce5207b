"""From rows to batches: chat template, tokens, packing, collating."""
