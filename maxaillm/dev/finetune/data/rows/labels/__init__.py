"""Labels in rows: lists of them, texts with one or several, words with a tag each."""
