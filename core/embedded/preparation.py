"""What a database needs before the product runs on it."""

import secrets
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor

from core.embedded.output import say

DEMO_EMAIL: Final = "admin@example.com"


@dataclass(frozen=True, slots=True)
class DemoLogin:
    """The administrator of the demo; the password is empty when it was told at an earlier start."""

    email: str
    password: str


def prepare_database() -> DemoLogin | None:
    """Bring the tables up to date and return who may sign in to the demo."""
    try:
        _migrate()
        return _demo()
    finally:
        # The programs are started from here: none may inherit our connection.
        connections.close_all()


def _migrate() -> None:
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        say("Preparing the database…")
        call_command("migrate", interactive=False, verbosity=0)


def _demo() -> DemoLogin | None:
    users = get_user_model()._default_manager
    if settings.NOOK_DEMO and not users.exists():
        say("Making demo users and resources…")
        password = secrets.token_urlsafe(12)
        call_command("seed_demo", password=password, verbosity=0)
        return DemoLogin(DEMO_EMAIL, password)
    return DemoLogin(DEMO_EMAIL, "") if users.filter(email=DEMO_EMAIL).exists() else None
