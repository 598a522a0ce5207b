"""What several metrics need: counts of classes, confidence intervals, scores of texts."""
