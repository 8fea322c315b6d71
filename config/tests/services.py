"""The pytest plugin that gives the suite its servers: the URLs that are given, else embedded ones.

The root conftest.py loads it, and pytest-django reads the settings after that, so the URLs are known by then; the
servers themselves start with the session, in the process that nothing else controls (pytest-xdist's
workers inherit the URLs and start none).
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import django
import pytest

from core.embedded.locations import Locations
from core.embedded.postgres import Postgres
from core.embedded.process import is_alive
from core.embedded.valkey import Valkey

_folder = Path(tempfile.gettempdir()) / f"nook-tests-{os.getpid()}"
_locations = Locations(_folder)
_missing = [name for name in ("DATABASE_URL", "REDIS_URL") if not os.environ.get(name)]
_urls = {"DATABASE_URL": _locations.database_url, "REDIS_URL": _locations.redis_url}
os.environ.update({name: _urls[name] for name in _missing})
# Files, metrics and audit heads of the tests do not mix with those of a server that runs from this clone.
os.environ["NOOK_DATA_DIR"] = str(_folder)
# Here, because the conftest files of the apps import models.
django.setup()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> Iterator[None]:
    """Run the session with the missing servers around it."""
    servers = [] if config.option.collectonly else _servers()
    _remove_folders_of_killed_runs()
    try:
        for server in servers:
            server.start()
        return (yield)
    finally:
        for server in reversed(servers):
            server.stop()
        shutil.rmtree(_folder, ignore_errors=True)


def _remove_folders_of_killed_runs() -> None:
    for folder in _folder.parent.glob("nook-tests-*"):
        number = folder.name.rpartition("-")[2]
        if number.isdigit() and not is_alive(int(number)):
            shutil.rmtree(folder, ignore_errors=True)


def _servers() -> list[Postgres | Valkey]:
    servers: list[Postgres | Valkey] = []
    if "DATABASE_URL" in _missing:
        servers.append(Postgres(_locations, durable=False))
    if "REDIS_URL" in _missing:
        servers.append(Valkey(_locations, durable=False))
    return servers
