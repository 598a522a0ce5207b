"""Recipes: fixes and joins over whole datasets."""
