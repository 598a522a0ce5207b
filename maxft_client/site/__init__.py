"""A site over HTTP: its key, requests that are tried again, files that go on after a break."""
