"""Model and rows of one run, prepared."""
