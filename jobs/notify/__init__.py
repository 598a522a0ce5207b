"""Notices sent: by webhook, e-mail and Apprise from a worker, to browsers by a socket.

`public_address` keeps requests off private networks, `words` says what happened, `webhook` makes
and signs what programs get, `sender` sends it.
"""
