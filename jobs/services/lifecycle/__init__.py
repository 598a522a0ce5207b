"""The life of a run beside its training: what it waits for, how it goes on, drafts of it."""
