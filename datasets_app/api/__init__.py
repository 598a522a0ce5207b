"""REST API of datasets and of the Hub."""
