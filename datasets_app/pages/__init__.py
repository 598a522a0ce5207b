"""What the pages of a dataset show: rows, statistics, previews of changes."""
