"""Runs and models: configure, queue, watch, chat."""
