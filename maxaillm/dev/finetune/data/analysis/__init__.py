"""What the quality checks measure by: duplicates, labels, statistics, personal data."""
