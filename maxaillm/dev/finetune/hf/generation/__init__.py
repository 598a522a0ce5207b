"""Generating answers: sampling, streaming."""
