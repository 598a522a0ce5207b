"""The pages of runs, models and the playground."""
