"""Limits against abuse: size of a request, tries to sign in."""
