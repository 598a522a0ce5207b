"""What developers of models use."""
