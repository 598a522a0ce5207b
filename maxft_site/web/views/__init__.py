"""Pages that belong to no app: signing in, settings, search, health."""
