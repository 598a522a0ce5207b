"""Data sets: upload, check, look at them."""
