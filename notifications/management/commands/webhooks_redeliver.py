"""`manage.py webhooks_redeliver`: webhooks that were given up, or sent, once more."""

import argparse
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet

from core.errors import Conflict
from core.permissions import SYSTEM
from notifications.models import WebhookDelivery, WebhookEndpoint
from notifications.models.webhooks import DELIVERED, FAILED
from notifications.services import webhooks


class Command(BaseCommand):
    help = (
        "Send webhook deliveries again, under the same webhook-id: to their receivers, who see them a second time "
        "where the first arrived. Leaves alone what is under way, what its owner may no longer read, and webhooks "
        "that are switched off."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--endpoint", type=UUID, help="Only those of this webhook (its id).")
        parser.add_argument("--since", type=_moment, help="Only of events from this time on, as 2026-11-21T08:00:00Z.")
        parser.add_argument(
            "--state", choices=(FAILED, DELIVERED), default=FAILED, help="failed (the default) or delivered."
        )
        parser.add_argument(
            "--missed",
            action="store_true",
            help="Send what --endpoint asks for and was never sent since --since: it was off, or there was none yet.",
        )
        parser.add_argument("--dry-run", action="store_true", help="Only say how many it would be, and whose.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["missed"]:
            self._send_missed(options)
            return
        deliveries = webhooks.redeliverable(self._chosen(options))
        if options["dry_run"]:
            for endpoint in WebhookEndpoint.objects.filter(deliveries__in=deliveries).distinct().order_by("pk"):
                count = deliveries.filter(endpoint=endpoint).count()
                self.stdout.write(f"{endpoint.pk}  {webhooks.without_secrets(endpoint.url)}  {count}")
            self.stdout.write(f"Would send {deliveries.count()} deliveries again.")
            return
        count = webhooks.redeliver_many(actor=SYSTEM, deliveries=self._chosen(options))
        self.stdout.write(f"Queued {count} deliveries again.")

    def _send_missed(self, options: dict[str, Any]) -> None:
        if not (options["endpoint"] and options["since"]):
            raise CommandError("--missed needs --endpoint and --since.")
        self._require(options["endpoint"])
        missed = webhooks.Missed(options["endpoint"], options["since"])
        if options["dry_run"]:
            self.stdout.write(f"Would send {missed.count()} events that it was never sent.")
            return
        try:
            count = sum(missed.send(actor=SYSTEM))
        except Conflict as refusal:
            raise CommandError(refusal.text) from None
        self.stdout.write(f"Queued {count} events that it was never sent.")

    def _require(self, endpoint_id: UUID) -> None:
        if not WebhookEndpoint.objects.filter(pk=endpoint_id).exists():
            raise CommandError(f"There is no webhook {endpoint_id}.")

    def _chosen(self, options: dict[str, Any]) -> QuerySet[WebhookDelivery]:
        deliveries: QuerySet[WebhookDelivery] = WebhookDelivery.objects.filter(state=options["state"])
        if options["endpoint"]:
            self._require(options["endpoint"])
            deliveries = deliveries.filter(endpoint_id=options["endpoint"])
        if options["since"]:
            deliveries = deliveries.filter(created_at__gte=options["since"])
        return deliveries


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
