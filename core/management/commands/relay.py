"""`manage.py relay`: hands due outbox rows to the broker until it is told to stop."""

from typing import Any

from django.core.management.base import BaseCommand

from core.management.stopping import stopped_by_signals
from core.relay import Relay


class Command(BaseCommand):
    help = "Hand what the outbox holds to the broker, for ever. Any number may run; losing one loses nothing."

    def handle(self, *args: Any, **options: Any) -> None:
        relay = Relay()
        with stopped_by_signals(relay.stop):
            relay.run()
        self.stdout.write(f"Relay stopped; sent {relay.sent} messages.")
