"""The client: a site's datasets, runs and models from any machine, over its API.

It needs neither the engine nor Django. This module tells of its commands without an import of what
carries them out.
"""

from __future__ import annotations

from typing import NamedTuple


class CommandInfo(NamedTuple):
    module: str
    help: str


COMMANDS = {
    "login": CommandInfo("account", "Sign in to a site with a key."),
    "logout": CommandInfo("account", "Forget the key of a site."),
    "whoami": CommandInfo("account", "Say whom the key belongs to."),
    "datasets": CommandInfo("datasets", "List, push, check and pull datasets."),
    "runs": CommandInfo("runs", "List, start, stop, order, extend and delete runs, and more."),
    "logs": CommandInfo("logs", "Show the log of a run."),
    "compare": CommandInfo("compare", "Show runs beside each other."),
    "queue": CommandInfo("queue", "Show what works and waits, and pause it."),
    "models": CommandInfo("models", "List models, and export them."),
    "deploy": CommandInfo("deploy", "Let programs reach a model under a name, with a key."),
    "deployments": CommandInfo("deploy", "List, show, stop, start, delete; keys and usage."),
    "chat": CommandInfo("chat", "Talk to a model."),
    "completion": CommandInfo("completion", "Print what a shell needs to complete commands."),
}
"""What a site is asked for, in the order of the help."""
COMPLETES = "_MAXFT_COMPLETE"
"""In the environment: a shell asks how a command may go on."""
