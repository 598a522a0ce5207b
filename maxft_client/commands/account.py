"""Signing in to a site, out of it, and whose key it is."""

from __future__ import annotations

import sys

import click

from maxft_client.errors import ClientError, UnreachableError
from maxft_client.site import credentials
from maxft_client.site.connection import Site
from maxft_client.site.credentials import Credentials
from maxft_client.terminal.screen import Screen, json_option


@click.command()
@click.argument("url")
def login(url: str) -> None:
    """Sign in to the site at URL.

    The key is asked for, or read from stdin where that is no terminal. Make one on the site's page
    Settings. It is kept for this user alone; MAXFT_URL and MAXFT_TOKEN win over what is kept.
    """
    screen = Screen(as_json=False)
    site = credentials.normal_url(url)
    if credentials.is_open_to_listeners(site):
        screen.note("Whoever listens on the network can read the key: the address is not https.")
    token = click.prompt("Key", hide_input=True) if sys.stdin.isatty() else sys.stdin.readline()
    given = Credentials(site, token.strip())
    if not given.token.isascii() or not given.token.isprintable() or " " in given.token:
        raise ClientError("This is no key: it has spaces, or characters that no key has.")
    account = account_of(Site(given), site)
    credentials.keep(given)
    screen.say(f"Signed in to {site} as {account['username']}.")


def account_of(site: Site, url: str) -> dict[str, str]:
    account: dict[str, str] = site.get("/me")
    if "username" not in account:
        raise UnreachableError(f"{url} is no MaxFT site.", "See that the address is right.")
    return account


@click.command()
@click.argument("url", required=False)
def logout(url: str | None) -> None:
    """Forget the key of a site; without URL of the one in use.

    It still opens the site: revoke it on the page Settings where it has leaked.
    """
    Screen(as_json=False).say(f"The key of {credentials.forget(url)} is forgotten.")


@click.command()
@json_option
def whoami(*, as_json: bool) -> None:
    """Say whom the key belongs to, and which site answers."""
    screen, site = Screen(as_json=as_json), Site()
    account = {"url": site.url, **account_of(site, site.url)}
    if as_json:
        screen.document(account)
    else:
        screen.facts({"site": site.url, "user": account["username"], "version": account["version"]})
