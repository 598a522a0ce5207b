"""Advice on a run: from what it measured to a verdict with its reasons and next steps.

`history` is what rules read, `verdict` what they give, `judge` tells how a run ended,
`divergence` whether one is lost while it still trains, `comparison` compares two models on the
same rows.
"""
