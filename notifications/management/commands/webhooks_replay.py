"""`manage.py webhooks_replay`: inbound webhooks worked off once more."""

import argparse
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet

from core.permissions import SYSTEM
from notifications.models.inbound import FAILED, INBOUND_STATES, InboundWebhook, WebhookSource
from notifications.services import inbound


class Command(BaseCommand):
    help = (
        "Have inbound webhooks worked off again by all handlers that are registered for them now: what the handlers "
        "do happens once more."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--source", help="Only those of this source (its key).")
        parser.add_argument("--since", type=_moment, help="Only what came from this time on, as 2026-11-21T08:00:00Z.")
        parser.add_argument("--state", choices=INBOUND_STATES, default=FAILED, help="In which state; failed at first.")
        parser.add_argument("--dry-run", action="store_true", help="Only say how many it would be.")

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = self._chosen(options)
        if options["dry_run"]:
            self.stdout.write(f"Would work off {chosen.count()} messages again.")
            return
        count = inbound.replay(actor=SYSTEM, messages=chosen)
        self.stdout.write(f"{count} messages are worked off again.")

    def _chosen(self, options: dict[str, Any]) -> QuerySet[InboundWebhook]:
        chosen: QuerySet[InboundWebhook] = InboundWebhook.objects.filter(state=options["state"])
        if options["source"]:
            if not WebhookSource.objects.filter(key=options["source"]).exists():
                raise CommandError(f"There is no source {options['source']!r}.")
            chosen = chosen.filter(source__key=options["source"])
        return chosen.filter(created_at__gte=options["since"]) if options["since"] else chosen


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
