"""Requests for answers and their streams of tokens, in Redis."""
