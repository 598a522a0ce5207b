"""What a shell needs to complete commands."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from maxft_client import COMPLETES

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print what SHELL needs to complete commands.

    \b
    bash:  eval "$(maxft completion bash)"        in ~/.bashrc
    zsh:   eval "$(maxft completion zsh)"         in ~/.zshrc
    fish:  maxft completion fish > ~/.config/fish/completions/maxft.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    found = kind(click.Group("maxft"), {}, "maxft", COMPLETES)
    click.echo(found.source())
