"""Numerics of our own, each with its measurement."""
