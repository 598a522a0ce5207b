"""Preference tuning: rows, batches, trainer."""
