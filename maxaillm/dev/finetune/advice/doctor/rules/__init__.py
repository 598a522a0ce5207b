"""Rules of the run doctor, one a module: each a function from a run's history to a finding or None.

`curves` is None before the first evaluation after a step. Sources of limits stand beside them.
"""
