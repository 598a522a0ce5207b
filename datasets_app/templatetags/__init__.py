"""Template tags of data sets."""
