"""`manage.py bucket_setup`: tells the S3 bucket what it has to be told once."""

import argparse
from collections import Counter
from typing import Any

from django.conf import settings
from django.core.files.storage import default_storage
from django.core.management.base import BaseCommand, CommandError

from core.storage.bucket import KEPT_DAYS, Bucket


class Command(BaseCommand):
    help = (
        "Close the bucket S3_BUCKET to the public, let it keep what is written over or deleted for some days, drop "
        "unfinished uploads, and let the pages of CORS_ALLOWED_ORIGINS upload to it. Rules of others stay. Run it "
        "again whenever the origins change; with --dry-run it only looks, and ends with code 1 when something differs."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Only say what would be set.")
        parser.add_argument(
            "--keep-days", type=int, default=KEPT_DAYS, help=f"How long what was written over is kept ({KEPT_DAYS})."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.S3_BUCKET:
            raise CommandError("Files go to a folder of this machine: S3_BUCKET is empty.")
        if options["keep_days"] < 1:
            raise CommandError("--keep-days is a number of days from 1 on.")
        client = default_storage.connection.meta.client  # type: ignore[attr-defined]  # it is the storage of S3
        bucket = Bucket(client, settings.S3_BUCKET, kept_days=options["keep_days"])
        counts: Counter[str] = Counter()
        for outcome in bucket.set_up(is_dry=options["dry_run"]):
            counts[outcome.state] += 1
            self.stdout.write(f"{outcome.state:8} {outcome.name}")
        facts = ", ".join(f"{number} {state}" for state, number in sorted(counts.items()))
        self.stdout.write(f"{settings.S3_BUCKET}: {facts}.")
        if counts["differs"]:
            raise SystemExit(1)
