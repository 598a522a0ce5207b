"""The pages of models: the list, one of them, its exports, its place in the registry."""
