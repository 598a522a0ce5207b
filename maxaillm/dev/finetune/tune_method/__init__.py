"""The specification's import path for tuning by adapters; the methods lie in `methods/`."""
