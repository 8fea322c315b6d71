"""`manage.py replay_events`: feeds a subscriber again from any time."""

import argparse
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from core.replay import Replay


class Command(BaseCommand):
    help = "Queue past events for one subscriber again, through its ordinary door: each is handled once more."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--subscriber", required=True, help="The subscriber's name.")
        parser.add_argument("--since", required=True, type=_moment, help="ISO 8601; UTC unless it says otherwise.")
        parser.add_argument("--until", type=_moment, help="Up to, but without, this time.")
        parser.add_argument("--type", action="append", default=[], help="Only these types (user.created, user.*).")
        parser.add_argument("--missed-only", action="store_true", help="Leave out what it has handled.")
        parser.add_argument("--dry-run", action="store_true", help="Only count.")

    def handle(self, *args: Any, **options: Any) -> None:
        replay = Replay(
            subscriber=options["subscriber"],
            since=options["since"],
            until=options["until"],
            types=tuple(options["type"]),
            missed_only=options["missed_only"],
        )
        try:
            total = replay.events().count()
        except LookupError as error:
            raise CommandError(str(error)) from None
        if options["dry_run"]:
            self.stdout.write(f"Would replay {total} events for {replay.subscriber}.")
            return
        queued = 0
        with tqdm(total=total, unit="event", disable=None) as bar:
            for size in replay.run():
                queued += size
                bar.update(size)
        self.stdout.write(f"Queued {queued} events for {replay.subscriber}.")


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
