"""Providers of fine-tuning: what carries out a run, one module each."""
