"""`manage.py jobs`: what people had done for them, and how far it is."""

import argparse
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from core import jobs
from core.errors import ApplicationError
from core.models import Job
from core.models.jobs import JOB_STATES
from core.permissions import SYSTEM


class Command(BaseCommand):
    help = "List jobs, cancel them for their owners, or let failed ones go on."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, help="What to do.")
        listing = actions.add_parser("list", help="One line for each, newest first.")
        listing.add_argument("--state", choices=JOB_STATES, help="Only jobs in this state.")
        listing.add_argument("--limit", type=int, default=50, help="At most so many (50).")
        for name, text in (
            ("cancel", "End jobs that wait or run; their files go."),
            ("retry", "Let failed jobs go on from where they were."),
        ):
            change = actions.add_parser(name, help=f"{text} Only says what it would do without --yes.")
            change.add_argument("ids", nargs="+", type=UUID, metavar="id", help="The jobs.")
            change.add_argument("--yes", action="store_true", help="Really do it.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["action"] == "list":
            self._list(options["state"], options["limit"])
        else:
            self._change(options["action"], options["ids"], really=options["yes"])

    def _list(self, state: str | None, limit: int) -> None:
        found = Job.objects.filter(**{"state": state} if state else {})
        for job in found.select_related("owner").order_by("-created_at", "-pk")[:limit]:
            self.stdout.write(_line(job))
        self.stdout.write(f"{found.count()} jobs.")

    def _change(self, action: str, ids: list[UUID], *, really: bool) -> None:
        if not really:
            for job in Job.objects.filter(pk__in=ids).select_related("owner").order_by("created_at"):
                self.stdout.write(_line(job))
            self.stdout.write(f"Would {action} {len(ids)} jobs; --yes does it.")
            return
        act = jobs.cancel_job if action == "cancel" else jobs.retry_job
        refused = 0
        for job_id in ids:
            try:
                act(actor=SYSTEM, job_id=job_id)
            except ApplicationError as refusal:
                refused += 1
                self.stderr.write(f"{job_id}: {refusal.text}")
        summary = f"{len(ids) - refused} jobs: {action} done; {refused} refused."
        if refused:
            raise CommandError(summary)
        self.stdout.write(summary)


def _line(job: Job) -> str:
    when = job.created_at.isoformat(timespec="seconds")
    total = "?" if job.total is None else job.total
    owner = job.owner or "system"
    return f"{job.pk}  {when}  {job.kind}  {owner}  {job.state}  {job.done}/{total}  {job.error}".rstrip()
