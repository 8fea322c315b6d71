"""What is measured on: PostgreSQL and Redis (the URLs given, else embedded ones) with a demo world of a given size."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

from core.embedded.locations import Locations
from core.embedded.postgres import Postgres
from core.embedded.valkey import Valkey

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "var" / "bench"


@dataclass(frozen=True, slots=True)
class World:
    """A database with a demo world in it, and the environment that leads a process there."""

    database: str
    environment: dict[str, str]

    def run(self, *arguments: str) -> str:
        """Run Python with this world's environment and return what it prints."""
        done = subprocess.run(  # noqa: S603  # our own command
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
        return done.stdout


@contextmanager
def services() -> Iterator[dict[str, str]]:
    """Yield DATABASE_URL and REDIS_URL, with embedded servers behind those that the environment does not give."""
    locations = Locations(FOLDER)
    urls = {"DATABASE_URL": locations.database_url, "REDIS_URL": locations.redis_url}
    kinds: dict[str, type[Postgres | Valkey]] = {"DATABASE_URL": Postgres, "REDIS_URL": Valkey}
    started = [kinds[name](locations) for name in urls if not os.environ.get(name)]
    for server in started:
        server.start()
    try:
        yield {name: os.environ.get(name) or url for name, url in urls.items()}
    finally:
        for server in reversed(started):
            server.stop()


def world(urls: dict[str, str], *, users: int, resources: int) -> World:
    """Return the world of that size, made on first use and kept for later runs."""
    given = urlsplit(urls["DATABASE_URL"])
    # Named after the database at hand: two checkouts may measure on one server.
    name = f"{given.path.lstrip('/')}_bench_{resources}"
    url = urlunsplit(given._replace(path=f"/{name}"))
    made = World(name, environment(url, urls["REDIS_URL"]))
    with psycopg.connect(urls["DATABASE_URL"], autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            connection.execute(f'CREATE DATABASE "{name}"')
    made.run("manage.py", "migrate", "--verbosity", "0")
    made.run("manage.py", "seed_demo", "--users", str(users), "--resources", str(resources), "--verbosity", "0")
    return made


def environment(database_url: str, redis_url: str) -> dict[str, str]:
    FOLDER.mkdir(parents=True, exist_ok=True)
    return {
        "DJANGO_SETTINGS_MODULE": "config.settings.development",
        "NOOK_DATA_DIR": str(FOLDER),
        "METRICS_DIR": str(FOLDER / "metrics"),
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "BROKER_URL": redis_url,
        "RATE_LIMIT_SCALE": "1000000",
        "LOG_FORMAT": "json",
        "SECRET_KEY": "a-key-for-the-bench-only-0123456789abcdef0123456789abcdef",
    }
