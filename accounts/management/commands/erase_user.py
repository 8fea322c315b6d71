"""`manage.py erase_user`: erases one person everywhere, for good."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from accounts.models import User
from accounts.models.users import normalised_email
from accounts.services.erasing import erase_account
from core.errors import ApplicationError
from core.permissions import SYSTEM


class Command(BaseCommand):
    help = (
        "Erase one person everywhere and for good, without the time of grace, as a written demand asks for: account, "
        "sessions, messages, what was theirs alone, their traces in the event log. Only counts without --now."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("who", help="The e-mail address or the id, of a live or a deleted account.")
        parser.add_argument("--now", action="store_true", help="Really erase them; nothing brings it back.")

    def handle(self, *args: Any, **options: Any) -> None:
        user = self._find(options["who"])
        try:
            counts = self._erase(user, really=options["now"])
        except ApplicationError as refusal:
            raise CommandError(refusal.text) from None
        for table, number in sorted(counts.items()):
            self.stdout.write(f"{table}: {number}")
        done = "Erased" if options["now"] else "Would erase"
        self.stdout.write(
            f"{done} {user.pk}: {sum(counts.values())} rows{'' if options['now'] else '; --now does it'}."
        )

    def _find(self, who: str) -> User:
        people = User.all_objects.filter(anonymised_at=None)
        try:
            found = list(people.filter(pk=UUID(who)))
        except ValueError:
            found = list(people.filter(email=normalised_email(who)))
        if len(found) > 1:
            raise CommandError(
                f"{len(found)} accounts had this address; give an id: {', '.join(str(u.pk) for u in found)}"
            )
        if not found:
            raise CommandError("There is no such account, or it was erased already.")
        return found[0]

    @transaction.atomic
    def _erase(self, user: User, *, really: bool) -> dict[str, int]:
        counts = erase_account(actor=SYSTEM, user_id=user.pk, even_in_use=True)
        if not really:
            transaction.set_rollback(True)
        return counts
