"""`manage.py beat`: plans due schedules and seals the event log until it is told to stop."""

from typing import Any

from django.core.management.base import BaseCommand

from core.management.stopping import stopped_by_signals
from core.schedules import Clock


class Command(BaseCommand):
    help = "Plan due schedules and seal the event log, each second. Several may run; each period still runs once."

    def handle(self, *args: Any, **options: Any) -> None:
        clock = Clock()
        with stopped_by_signals(clock.stop):
            clock.run()
        self.stdout.write("Beat stopped.")
