"""Processes of tests' own, on the test database and the test's queues."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

from django.conf import settings
from django.db import connection


def url_of_the_database() -> str:
    """Return the URL of the database that this test writes to."""
    database = connection.settings_dict
    who = f"{quote(database['USER'])}:{quote(database['PASSWORD'])}"
    return f"postgres://{who}@/{database['NAME']}?host={quote(database['HOST'])}&port={database['PORT']}"


class WorkerProcess:
    """A Celery worker with one child, as `manage.py up` starts it, that also knows the jobs of the tests."""

    def __init__(self, **environment: str) -> None:
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "celery", "--quiet", "--app", "config", "worker"),
                *("--include", "core.tests.job_kinds", "--concurrency", "1", "--loglevel", "ERROR"),
                *("--without-gossip", "--without-mingle"),
            ],
            cwd=settings.BASE_DIR,
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "config.tests.worker_settings",
                "DATABASE_URL": url_of_the_database(),
                "QUEUE_PREFIX": settings.QUEUE_PREFIX,
                "OUTBOX_LEASE_SECONDS": str(settings.OUTBOX_LEASE_SECONDS),
                **environment,
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill_child(self) -> bool:
        """Kill the child that runs tasks with -9; the worker starts another. Return whether there was one."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        for child in children:
            os.kill(int(child), signal.SIGKILL)
        return bool(children)

    def kill(self) -> None:
        """Kill the worker and its child with -9."""
        self._process.send_signal(signal.SIGSTOP)
        self.kill_child()
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Let it end its task, and go."""
        self._process.terminate()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()
