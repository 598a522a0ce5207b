"""Using models: load a folder and generate."""
