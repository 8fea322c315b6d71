"""`manage.py rotate_signing_key`: a new key that signs access tokens, the old ones still verifying."""

import os
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from accounts.signing_keys import ring_with_new_key
from core.embedded.secrets import replace_secret

_SOURCES = ("JWT_KEYS", "JWT_KEYS_FILE")


class Command(BaseCommand):
    help = (
        "Put a new key in front of JWT_KEYS: it signs from the next start on, and tokens of the keys behind it "
        "serve to their end, so nobody is signed out. Where JWT_KEYS is given, its new value is printed; else the "
        "secrets of the data folder are changed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--keep", type=int, default=2, help="How many of the keys there are stay (default: 2).")

    def handle(self, *args: Any, keep: int, **options: Any) -> None:
        ring = ring_with_new_key(settings.JWT_KEYS, keep=max(keep, 1))
        if any(name in os.environ for name in _SOURCES):
            self.stdout.write(ring)
            self.stderr.write("Give this as JWT_KEYS to every process, and start them anew.")
            return
        replace_secret(settings.DATA_DIR, "JWT_KEYS", ring)
        self.stdout.write(f"The key {ring.partition(':')[0]} signs from the next start on.")
