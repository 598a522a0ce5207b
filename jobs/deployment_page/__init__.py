"""The page of a deployment: its forms, snippets to paste, what was asked of it."""
