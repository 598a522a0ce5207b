"""What is shown: text without control characters, tables and progress, JSON for scripts."""
