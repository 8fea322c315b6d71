"""Run inside a world: print, as JSON, what knowing the caller costs: seconds from memory, and from the database."""

import json
import os
import sys
import time
from statistics import median

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.development")
django.setup()

from accounts import identity  # noqa: E402  # after the setup
from accounts.models import User  # noqa: E402
from accounts.tests.factories import access_token_of, create_session  # noqa: E402

_ROUNDS = 9
_KNOWN = 5_000
_READ = 200


def main() -> None:
    """Print the medians of some rounds."""
    session = create_session(User.objects.select_related("role").get(email="user1@example.com"))
    token = access_token_of(session)
    identity.identify(token)
    known, read = [], []
    for _ in range(_ROUNDS):
        known.append(_cost(token, _KNOWN))
        started = time.process_time()
        for _ in range(_READ):
            identity.forget_session(session.pk)
            identity.identify(token)
        read.append((time.process_time() - started) / _READ)
    sys.stdout.write(json.dumps({"known": median(known), "read": median(read)}))


def _cost(token: str, times: int) -> float:
    started = time.process_time()
    for _ in range(times):
        identity.identify(token)
    return (time.process_time() - started) / times


main()
