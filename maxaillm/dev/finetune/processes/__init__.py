"""Child processes: fork server, parent death signal, a pipeline of two."""
