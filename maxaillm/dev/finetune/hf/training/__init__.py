"""The Trainer, its callbacks and tasks, training by several processes."""
