"""Continuous batching: many answers made by one forward pass a token, with adapters mixed."""
