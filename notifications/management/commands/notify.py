"""`manage.py notify`: tell people something from a shell."""

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from core.errors import ApplicationError
from core.permissions import SYSTEM
from notifications.services.fanout import Recipients, send_to_many


class Command(BaseCommand):
    help = (
        "Tell people something: those named, everybody with a role, or everybody who is neither disabled nor deleted. "
        "Each hears of it on the channels that they want. With --dry-run only says how many that would be."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("kind", help="What is told, as in system.broadcast.")
        who = parser.add_mutually_exclusive_group(required=True)
        who.add_argument("--to", nargs="+", metavar="ADDRESS", help="The e-mail addresses of these people.")
        who.add_argument("--role", help="Everybody with this role.")
        who.add_argument("--all", action="store_true", help="Everybody.")
        parser.add_argument("--data", nargs="*", default=[], metavar="NAME=VALUE", help="What the kind takes: title=…")
        parser.add_argument("--dry-run", action="store_true", help="Count the people; send nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        recipients = self._recipients(options)
        if options["dry_run"]:
            count, unconfirmed = recipients.people().count(), recipients.unconfirmed()
            without_mail = f", {unconfirmed} of them without a mail (address not confirmed)" if unconfirmed else ""
            self.stdout.write(f"{count} people would be told{without_mail}; nothing was sent.")
            return
        context = dict(_pair(text) for text in options["data"])
        try:
            job = send_to_many(actor=SYSTEM, kind=options["kind"], context=context, to=recipients)
        except ApplicationError as refusal:
            reasons = [f"{detail.field}: {detail.message}" for detail in refusal.details]
            raise CommandError(" ".join(reasons) or refusal.text) from None
        self.stdout.write(f"{job.total} people are being told, by job {job.pk}.")

    def _recipients(self, options: dict[str, Any]) -> Recipients:
        if not options["to"]:
            return Recipients(role=options["role"] or "", everybody=options["all"])
        wanted = {address.strip().lower() for address in options["to"]}
        found = dict(get_user_model()._default_manager.filter(email__in=wanted).values_list("email", "pk"))
        unknown = sorted(wanted - found.keys())
        if unknown:
            raise CommandError(f"Nobody has the address {', '.join(unknown)}.")
        return Recipients(users=tuple(found.values()))


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise CommandError(f"{text!r} is not NAME=VALUE.")
    return name, value
