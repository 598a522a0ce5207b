"""Values of a row: messages, labels, splits, spans of answers."""
