"""Model folders read without torch: files, shapes of weights, card."""
