"""How often the run doctor is right: on a corpus of small models that were really trained.

- `truth.py`: what was wrong with a run, from facts that the doctor does not see.
- `generate.py`: trains the corpus. `python -m benchmarks.doctor.generate` (half an hour).
- `python -m benchmarks.doctor`: prints precision and recall of each rule.
"""
