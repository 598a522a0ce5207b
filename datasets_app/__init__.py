"""Datasets: upload, check, look at them."""
