"""What the page of a model shows, beside what the row itself has."""
