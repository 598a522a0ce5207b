"""Carrying out a run: worker, runner, engine process, watchdog, recovery."""
