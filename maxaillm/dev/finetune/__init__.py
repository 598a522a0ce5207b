"""The fine-tuning engine: usable alone, as a library and as a command."""
