"""Models as a registry: what is known of one, its names, its end."""
