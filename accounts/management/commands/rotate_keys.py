"""`manage.py rotate_keys`: seal every stored value with the new key; with `--jwt`, sign tokens with a new one."""

import os
import sys
from argparse import ArgumentParser
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from accounts.signing_keys import next_key, ring_with_new_key
from core.crypto.keyring import active_key_id
from core.crypto.rotation import Store, all_stores
from core.embedded.secrets import replace_secret

_SOURCES: Final = ("JWT_KEYS", "JWT_KEYS_FILE")


class Command(BaseCommand):
    help = (
        "Seal every encrypted value anew with the first key of ENCRYPTION_KEYS. Put the new key first, keep the old "
        "one behind it, restart, run this, then drop the old key. May be interrupted and run again. With --jwt: put a "
        "new key in front of JWT_KEYS, which signs access tokens from --lead-seconds from now on. Start every process "
        "anew with the new ring before then, one after the other; nobody is signed out. Where JWT_KEYS is given, its "
        "new value is printed; else the secrets of the data folder are changed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Say what would be done; change nothing.")
        parser.add_argument("--batch-size", type=int, default=500, help="Rows per transaction (default: 500).")
        parser.add_argument("--jwt", action="store_true", help="Rotate the key that signs access tokens instead.")
        parser.add_argument(
            "--lead-seconds", type=int, default=900, help="With --jwt: when the new key begins to sign (default: 900)."
        )
        parser.add_argument(
            "--keep", type=int, default=2, help="With --jwt: how many of the keys there are stay (default: 2)."
        )

    def handle(
        self, *args: Any, dry_run: bool, batch_size: int, jwt: bool, lead_seconds: int, keep: int, **options: Any
    ) -> None:
        if jwt:
            return self._rotate_jwt(keep=max(keep, 1), lead=timedelta(seconds=max(lead_seconds, 0)), dry_run=dry_run)
        stores = all_stores()
        if dry_run:
            return self._count(stores)
        key = active_key_id()
        sealed = sum(self._seal(store, batch_size) for store in stores)
        left = sum(store.count_stale() for store in stores)
        if left:
            raise CommandError(f"{sealed} values sealed with key {key!r}; {left} are left: see above, run again.")
        self.stdout.write(f"{sealed} values sealed with key {key!r}; no other key is needed any more.")
        return None

    def _rotate_jwt(self, *, keep: int, lead: timedelta, dry_run: bool) -> None:
        waiting = next_key(settings.JWT_KEYS)
        if waiting is not None:
            raise CommandError(f"The key {waiting.kid} is to sign from {waiting.signs_from:%H:%M:%S} UTC on; wait.")
        signs_from = datetime.now(UTC) + lead
        ring = ring_with_new_key(settings.JWT_KEYS, keep=keep, signs_from=signs_from)
        new, *kept = (entry.partition(":")[0].partition("@")[0] for entry in ring.split(","))
        stays = f"still verifying: {', '.join(kept)}"
        if dry_run:
            self.stdout.write(f"A new key would sign from {signs_from:%H:%M:%S} UTC on; {stays}.")
            return
        summary = f"The key {new} signs from {signs_from:%H:%M:%S} UTC on; {stays}."
        if any(name in os.environ for name in _SOURCES):
            self.stdout.write(ring)
            self.stderr.write(f"{summary} Give this as JWT_KEYS to every process, and start them anew before then.")
            return
        replace_secret(settings.DATA_DIR, "JWT_KEYS", ring)
        self.stdout.write(f"{summary} Start every process anew before then.")

    def _count(self, stores: list[Store]) -> None:
        total = 0
        for store in stores:
            count = store.count_stale()
            total += count
            self.stdout.write(f"{store.place}: {count}")
        self.stdout.write(f"{total} values would be sealed with key {active_key_id()!r}.")

    def _seal(self, store: Store, batch_size: int) -> int:
        sealed = 0
        total = store.count_stale()
        with tqdm(total=total, desc=store.place, disable=not sys.stderr.isatty()) as bar:
            for progress in store.seal_anew(batch_size=batch_size):
                sealed += progress.sealed
                bar.update(progress.sealed)
                for primary_key in progress.unreadable:
                    self.stderr.write(f"{store.place}: row {primary_key} does not open with any key; left as it is.")
        return sealed
