"""Run inside a world: print, as JSON, a signed-in caller for either app and rows that this caller may read."""

import json
import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.development")
django.setup()

from django.db import connection  # noqa: E402  # after the setup

from accounts.models import User  # noqa: E402
from accounts.tests.factories import create_session  # noqa: E402
from accounts.tokens import AccessToken  # noqa: E402
from core.permissions import Caller  # noqa: E402
from resources.models import Resource  # noqa: E402


def main() -> None:
    """Print the caller."""
    user = User.objects.select_related("role").get(email="user1@example.com")
    session = create_session(user)
    # A run may take longer than a quarter of an hour.
    AccessToken.lifetime *= 24
    rows = Resource.objects.visible_to(Caller.of(user)).order_by("id")[:200]
    described = {
        "user": str(user.id),
        "token": str(AccessToken.of(session, user, authenticated_at=session.authenticated_at)),
        "resources": [str(row.id) for row in rows],
        "names": [row.name for row in rows],
        "database": connection.settings_dict["NAME"],
    }
    sys.stdout.write(json.dumps(described))


main()
