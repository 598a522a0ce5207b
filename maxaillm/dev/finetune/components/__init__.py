"""Components: what a user picks by name. Registry, plug-ins, errors at their field."""
