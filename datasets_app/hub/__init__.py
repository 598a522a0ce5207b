"""Fetching a dataset from the Hub: a child process, what starts it, and its files."""
