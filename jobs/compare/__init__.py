"""Comparison of two to ten runs: what differs between them, and what came of it.

`choice` reads an address and says which runs are compared, `differences` their options, `scores`
their metrics beside a baseline, `curves` their lines, `samples` their answers, `fairness` what the
comparison can tell. Pages and the API are made of these.
"""
