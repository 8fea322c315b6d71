"""Run inside a world: make accounts in every state that a stranger might ask about; print their addresses as JSON."""

import json
import os
import sys
from datetime import UTC, datetime
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.development")
django.setup()

from django.contrib.auth.hashers import make_password  # noqa: E402  # after the setup

from accounts.models import User  # noqa: E402

STATES: dict[str, dict[str, Any]] = {
    "ready": {},
    "unconfirmed": {"email_verified": False},
    "disabled": {"is_active": False},
    "deleted": {"deleted_at": datetime.now(UTC)},
    "old hash": {"password": make_password("correct-horse-battery", hasher="pbkdf2_sha256")},
}


def main() -> None:
    """Make `argv[1]` accounts of each state, named after `argv[2]`."""
    number, run = int(sys.argv[1]), sys.argv[2]
    usual = make_password("correct-horse-battery")
    addresses = {"unknown": [f"unknown-{run}-{each}@example.com" for each in range(number)]}
    for state, fields in STATES.items():
        addresses[state] = [f"{state.replace(' ', '-')}-{run}-{each}@example.com" for each in range(number)]
        User.all_objects.bulk_create(
            User(**{"email": address, "name": "Olive Owner", "password": usual, "email_verified": True, **fields})
            for address in addresses[state]
        )
    sys.stdout.write(json.dumps(addresses))


main()
