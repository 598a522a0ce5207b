"""What several fixes need."""
