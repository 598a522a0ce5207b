"""The inference worker: answers requests with the models that it keeps loaded."""
