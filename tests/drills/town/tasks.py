"""Tasks that leave a mark, and tasks that kill their worker."""

import os
import signal
import time

from django.db import connection

from core.queue import task


@task()
def work(*, name: str, **_unknown: object) -> None:
    """Leave a mark."""
    leave_mark(name)


@task()
def kill_its_worker(*, name: str, after: float, **_unknown: object) -> None:
    """Leave a mark, and kill the process that runs this."""
    leave_mark(name)
    time.sleep(after)
    os.kill(os.getpid(), signal.SIGKILL)


def leave_mark(name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO drill_marks (name) VALUES (%s)", [name])
