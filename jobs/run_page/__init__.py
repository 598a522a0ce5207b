"""What the page of a run shows: states, curves, scores, log."""
