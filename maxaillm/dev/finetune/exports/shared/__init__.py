"""Writers of exported models, and the check that an export equals its source."""
