"""`manage.py seed_demo`: people and resources to look at, or a million of them to measure with."""

import secrets
import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from resources.demo.loading import load_resources, refresh_statistics
from resources.demo.people import ADMIN_EMAIL, demo_users


class Command(BaseCommand):
    help = (
        "Make demo users and resources, by COPY. Asked again, it adds what is missing up to the numbers given. "
        "Refuses in production: every demo user has the same password."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--users", type=int, default=12, help="How many users besides admin and moderator.")
        parser.add_argument("--resources", type=int, default=300, help="How many resources, in the bin or not.")
        parser.add_argument("--password", default="", help="The password of new demo users; without it one is made up.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO_DATA_ALLOWED:
            raise CommandError("Demo users share a password, so they are for development only.")
        if options["users"] < 1 or options["resources"] < 0:
            raise CommandError("Give at least one user, and no negative number of resources.")
        started = time.monotonic()
        password = options["password"] or secrets.token_urlsafe(12)
        people = [user.id for user in demo_users(options["users"], password=password)]
        with tqdm(
            total=options["resources"],
            unit=" rows",
            unit_scale=True,
            disable=options["verbosity"] < 1,
            file=self.stderr,
        ) as bar:
            added = load_resources(options["resources"], people, progress=bar.update)
        refresh_statistics()
        if options["verbosity"]:
            seconds = time.monotonic() - started
            self.stdout.write(f"{len(people)} demo users, {added} new resources in {seconds:.1f} s.")
            self.stdout.write(f"New demo users, {ADMIN_EMAIL} among them, sign in with {password}")
