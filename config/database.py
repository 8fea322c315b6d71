"""A database URL as Django's settings dictionary."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from config import env

LOCK_TIMEOUT_MS = env.integer(
    "DATABASE_LOCK_TIMEOUT_MS", 2000, help="How long a statement waits for a lock.", minimum=1
)
STATEMENT_TIMEOUT_MS = env.integer(
    "DATABASE_STATEMENT_TIMEOUT_MS", 10000, help="How long a statement may run.", minimum=1
)
IDLE_IN_TRANSACTION_TIMEOUT_MS = env.integer(
    "DATABASE_IDLE_IN_TRANSACTION_TIMEOUT_MS", 30000, help="How long a transaction may sit idle.", minimum=1
)
TRANSACTION_POOLING = env.boolean(
    "DATABASE_TRANSACTION_POOLING", False, help="DATABASE_URL leads to PgBouncer in transaction mode."
)
REPLICA_WAIT_MS = env.integer(
    "DATABASE_REPLICA_WAIT_MS", 20, help="How long a read waits for a replica to be as far as the primary.", minimum=0
)
_LIKENESS = 0.3
"""How alike names are to a search that finds no word: two letters that changed places in a short word."""


def database_from_url(url: str, *, pooled: bool = TRANSACTION_POOLING) -> dict[str, Any]:
    """Return the `DATABASES` entry for `postgres://user:password@host:port/name?host=/socket/folder&sslmode=…`.

    Raises `ConfigurationError` for anything that is no PostgreSQL URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise env.ConfigurationError("DATABASE_URL must start with postgres:// or postgresql://.")
    try:
        port = parts.port
    except ValueError:
        raise env.ConfigurationError("DATABASE_URL: the port is not a number.") from None
    name = unquote(parts.path.lstrip("/"))
    if not name:
        raise env.ConfigurationError("DATABASE_URL names no database.")
    query = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.pop("host", None) or parts.hostname or "",
        "PORT": str(port or query.pop("port", "")),
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": pooled,
        "OPTIONS": {"connect_timeout": 5, **_session_settings(pooled=pooled), **query},
    }


def replicas_from_urls(urls: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the `DATABASES` entries of replicas: a dead one is given up sooner than the primary."""
    found = {f"replica_{place}": database_from_url(url) for place, url in enumerate(urls, start=1)}
    for entry in found.values():
        entry["OPTIONS"] |= {"connect_timeout": 1, "tcp_user_timeout": 2000}
        entry["TEST"] = {"MIRROR": "default"}
    return found


def _session_settings(*, pooled: bool) -> dict[str, Any]:
    """Return what every session starts with; sessions that a pooler shares keep nothing, their role sets limits."""
    if pooled:
        return {"prepare_threshold": None}
    return {"options": session_options()}


def session_options() -> str:
    """Return the settings of a session as the server takes them when it begins."""
    settings = {
        "lock_timeout": LOCK_TIMEOUT_MS,
        "statement_timeout": STATEMENT_TIMEOUT_MS,
        "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION_TIMEOUT_MS,
        "random_page_cost": 1.1,  # solid state; at 4, two thousand rows by their keys are read by scanning a million
        "jit": "off",  # compiling costs more than any statement of ours takes
        "pg_trgm.word_similarity_threshold": _LIKENESS,
    }
    return " ".join(f"-c {name}={value}" for name, value in settings.items())


REPLICAS = replicas_from_urls(
    env.items("DATABASE_REPLICA_URLS", (), help="Streaming replicas, which GET requests of the API may read.")
)
