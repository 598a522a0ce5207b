"""Datasets of the Hub: what their names, files and cards say."""
