"""The check of an upload: a child process, what starts it, and what the two say to each other."""
