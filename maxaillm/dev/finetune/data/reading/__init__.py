"""Reading a file: its format recognised, its rows checked, in one pass."""
