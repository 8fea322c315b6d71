"""`manage.py relay`: hands due outbox rows to the broker until it is told to stop."""

import signal
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand

from core.relay import Relay


class Command(BaseCommand):
    help = "Hand what the outbox holds to the broker, for ever. Any number may run; losing one loses nothing."

    def handle(self, *args: Any, **options: Any) -> None:
        relay = Relay()

        def stop(_signal: int, _frame: FrameType | None) -> None:
            relay.stop()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        relay.run()
        self.stdout.write(f"Relay stopped; sent {relay.sent} messages.")
