"""The base of commands that do one thing to several people: whom, what if, are you sure, and what came of it."""

import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandError

from accounts.models import User
from accounts.models.users import normalised_email
from core.errors import ApplicationError

_PROGRESS_EVERY = 100


class PeopleCommand(BaseCommand):
    """Subclasses say what is done (`done`: "disabled") and do it to one user in `act`; exit code 1 if any failed."""

    done: ClassVar[str]

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("addresses", nargs="*", metavar="address", help="Whom, by e-mail address.")
        parser.add_argument("--file", help="A file with one address a line, # begins a remark; - is standard input.")
        parser.add_argument("--dry-run", action="store_true", help="Say who would be hit, and change nothing.")
        parser.add_argument("--no-input", "--noinput", action="store_true", help="Do not ask before many are hit.")

    def act(self, user: User, options: dict[str, Any]) -> bool:
        """Do it; return whether anything changed. What a service refuses is told, and the next one is taken."""
        raise NotImplementedError

    def handle(self, *args: Any, **options: Any) -> None:
        addresses = list(dict.fromkeys(self.chosen(options)))
        if not addresses:
            raise CommandError("Name somebody: addresses, or --file.")
        if options["dry_run"]:
            self._show(addresses)
            return
        if len(addresses) > 1 and not options["no_input"]:
            self._ask(len(addresses))
        self._sum_up(*self._act_on(addresses, options))

    def chosen(self, options: dict[str, Any]) -> Iterator[str]:
        """Yield the addresses that the options name."""
        yield from map(normalised_email, options["addresses"])
        if options["file"]:
            lines = _lines(options["file"])
            yield from (normalised_email(text) for line in lines if (text := line.partition("#")[0].strip()))

    def _show(self, addresses: list[str]) -> None:
        known = 0
        for address in addresses:
            user = _user_at(address)
            known += user is not None
            self.stdout.write(f"{address}: {_described(user)}")
        self.stdout.write(f"Dry run: {known} of {len(addresses)} would be {self.done}; nothing was changed.")

    def _ask(self, number: int) -> None:
        try:
            answer = input(f"{number} people will be {self.done}. Type yes to go on: ")
        except EOFError:
            answer = ""
        if answer.strip().lower() != "yes":
            raise CommandError("Nothing was changed.")

    def _act_on(self, addresses: list[str], options: dict[str, Any]) -> tuple[int, int, int]:
        """Return how many were done, were so already, and failed."""
        done = unchanged = failed = 0
        for number, address in enumerate(addresses, 1):
            try:
                user = _user_at(address)
                changed = user is not None and self.act(user, options)
                refusal = "" if user is not None else "there is no such user"
            except ApplicationError as error:
                changed, refusal = False, _reason(error)
            if refusal:
                self.stderr.write(f"{address}: {refusal}")
            done, failed = done + changed, failed + bool(refusal)
            unchanged += not changed and not refusal
            if number % _PROGRESS_EVERY == 0:
                self.stderr.write(f"{number} of {len(addresses)}")
        return done, unchanged, failed

    def _sum_up(self, done: int, unchanged: int, failed: int) -> None:
        summary = f"{done} {self.done}, {unchanged} unchanged, {failed} failed."
        if failed:
            raise CommandError(summary)
        self.stdout.write(summary)


def _user_at(address: str) -> User | None:
    return User.objects.select_related("role").filter(email=address).first()


def _lines(name: str) -> list[str]:
    try:
        return sys.stdin.readlines() if name == "-" else Path(name).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{name}: {error}") from None


def _described(user: User | None) -> str:
    if user is None:
        return "there is no such user"
    return f"{user.name}, {user.role_name}, {'enabled' if user.is_active else 'disabled'}"


def _reason(error: ApplicationError) -> str:
    return " ".join(detail.message for detail in error.details) or error.text
