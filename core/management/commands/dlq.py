"""`manage.py dlq`: the tasks that were given up."""

import argparse
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet

from core import dead_letters
from core.models import DeadLetter
from core.permissions import SYSTEM


class Command(BaseCommand):
    help = "List, show, retry or discard dead letters: tasks that failed too often or killed their workers."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, help="What to do with them.")
        listing = actions.add_parser("list", help="One line for each, newest first.")
        listing.add_argument("--limit", type=int, default=50)
        show = actions.add_parser("show", help="Everything about one.")
        show.add_argument("ids", nargs=1, type=int, metavar="id")
        for name, text in (("retry", "Let them run again."), ("discard", "Drop them for good.")):
            change = actions.add_parser(name, help=f"{text} Only says what it would do without --yes.")
            change.add_argument("ids", nargs="*", type=int, metavar="id")
            change.add_argument("--task", help="All letters of this task.")
            change.add_argument("--all", action="store_true", help="All letters.")
            change.add_argument("--yes", action="store_true", help="Really do it.")

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, f"_{options['action']}")(options)

    def _list(self, options: dict[str, Any]) -> None:
        for letter in DeadLetter.objects.order_by("-last_at", "-id")[: options["limit"]]:
            when = letter.last_at.isoformat(timespec="seconds")
            self.stdout.write(f"{letter.id}  {when}  {letter.task}  {letter.attempts} attempts  {letter.reason}")
        self.stdout.write(f"{DeadLetter.objects.count()} dead letters.")

    def _show(self, options: dict[str, Any]) -> None:
        letter = DeadLetter.objects.filter(id__in=options["ids"]).first()
        if letter is None:
            raise CommandError(f"There is no dead letter {options['ids'][0]}.")
        for name in ("id", "task", "queue", "request_id", "attempts", "reason", "first_at", "last_at"):
            self.stdout.write(f"{name}: {getattr(letter, name)}")
        self.stdout.write(f"kwargs: {json.dumps(letter.kwargs)}\n{letter.traceback}")

    def _retry(self, options: dict[str, Any]) -> None:
        ids = self._chosen(options)
        if options["yes"]:
            count = dead_letters.retry_dead_letters(ids=ids, actor=SYSTEM)
            self.stdout.write(f"Put {count} dead letters back into the outbox.")
        else:
            self.stdout.write(f"Would put {len(ids)} dead letters back into the outbox; --yes does it.")

    def _discard(self, options: dict[str, Any]) -> None:
        ids = self._chosen(options)
        if options["yes"]:
            count = dead_letters.discard_dead_letters(ids=ids, actor=SYSTEM)
            self.stdout.write(f"Discarded {count} dead letters.")
        else:
            self.stdout.write(f"Would discard {len(ids)} dead letters; --yes does it.")

    def _chosen(self, options: dict[str, Any]) -> list[int]:
        letters: QuerySet[DeadLetter] = DeadLetter.objects.all()
        if options["task"]:
            letters = letters.filter(task=options["task"])
        elif not options["all"]:
            if not options["ids"]:
                raise CommandError("Name the letters: ids, --task or --all.")
            letters = letters.filter(id__in=options["ids"])
        return list(letters.order_by("id").values_list("id", flat=True))
