"""The whole product, as a person or a script uses it."""
