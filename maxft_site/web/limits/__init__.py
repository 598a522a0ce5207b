"""Limits against abuse: connections, size of a request, tries to sign in."""
