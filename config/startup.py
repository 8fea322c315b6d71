"""Why a process cannot start, as one line a fault on stderr and an exit code: a traceback is for our bugs."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError

from config.env import ConfigurationError
from core.embedded.process import EmbeddedServerError


@contextmanager
def explained(exit_code: int = 1) -> Iterator[None]:
    """Turn an error of configuration or of reaching the database into its one line and an exit code."""
    try:
        yield
    except (ConfigurationError, ImproperlyConfigured, EmbeddedServerError, OperationalError) as error:
        if not _is_about_the_start(error):
            raise
        sys.stderr.writelines(f"nook: {line}\n" for line in _lines(error))
        raise SystemExit(exit_code) from None


def _is_about_the_start(error: Exception) -> bool:
    # psycopg has a state for what the server says, and none where there is no server to say it.
    return not isinstance(error, OperationalError) or getattr(error.__cause__, "sqlstate", None) is None


def _lines(error: Exception) -> list[str]:
    if isinstance(error, OperationalError):
        return [_database_line(error)]
    if isinstance(error, ConfigurationError):
        return str(error).splitlines()
    return [" ".join(str(error).split())]


def _database_line(error: OperationalError) -> str:
    if not settings.DATABASE_URL:
        return (
            f"the embedded PostgreSQL of {settings.DATA_DIR} is not running: "
            "start it with `manage.py up`, or set DATABASE_URL."
        )
    reason = str(error).strip().splitlines()[0]
    return f"the database of DATABASE_URL cannot be reached: {reason}"
