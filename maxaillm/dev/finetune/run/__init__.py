"""One run on disk: journal of events, lock, checkpoints, start by torchrun."""
