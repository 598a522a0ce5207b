"""The tab Tokens of a dataset: what the model will see of each row."""
