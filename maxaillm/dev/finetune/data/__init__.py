"""Data: from an uploaded file to checked examples on disk."""
