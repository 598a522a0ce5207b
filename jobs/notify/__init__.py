"""Notifications: messages to webhooks when a run ends.

`public_address` keeps requests off private networks, `message` makes and signs what is sent,
`sender` sends it.
"""
