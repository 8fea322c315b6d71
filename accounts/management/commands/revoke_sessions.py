"""`manage.py revoke_sessions`: sign people out everywhere."""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from accounts.management.people import PeopleCommand
from accounts.models import Session, User
from accounts.services.users import end_sessions_of
from core.permissions import SYSTEM


class Command(PeopleCommand):
    help = (
        "End every session of some people, or of everyone: their tokens stop within a second, and they sign in "
        "again. Personal access tokens go on serving."
    )
    done = "signed out"

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--everyone", action="store_true", help="Sign out everybody who is signed in.")

    def chosen(self, options: dict[str, Any]) -> Iterator[str]:
        yield from super().chosen(options)
        if options["everyone"]:
            signed_in = Session.objects.live().values("user")
            yield from User.objects.filter(pk__in=signed_in).order_by("pk").values_list("email", flat=True)

    def act(self, user: User, options: dict[str, Any]) -> bool:
        return end_sessions_of(actor=SYSTEM, user_id=user.pk) > 0
