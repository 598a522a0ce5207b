"""`maxft create_token USERNAME`: print a new API key once."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from maxft_site.web.models import ApiToken, TooManyTokensError


class Command(BaseCommand):
    help = "Print a new API key of USERNAME; the account is made if there is none."
    requires_system_checks = ()  # they would import every page and the API

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--name", default="command line", help="what the key is for")
        parser.add_argument("--scope", choices=ApiToken.Scope.values, default="write")
        parser.add_argument("--days", type=int, help="how long it is good; else until revoked")

    def handle(self, *args: Any, username: str, name: str, **options: Any) -> None:
        user = User.objects.filter(username=username).first() or self.made(username)
        if not user.is_active:
            raise CommandError(f"The account {username!r} is locked.")
        try:
            key = ApiToken.issue(user, name[:100], options["scope"], options["days"])
        except TooManyTokensError as error:
            raise CommandError(f"{error.message} {error.hint}") from None
        self.stdout.write(key)

    def made(self, username: str) -> User:
        """An account that can call the API and can't sign in."""
        user = User(username=username)
        user.set_unusable_password()
        try:
            user.full_clean()
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        user.save()
        return user
