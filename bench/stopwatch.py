"""What the tasks of a worker take: from the start of the first to the end of the last, which ends the worker."""

import time
from typing import Any

from celery import Celery, signals


class Stopwatch:
    """Watches one worker of one process until it has run so many tasks."""

    options = {  # never written
        "pool": "solo",
        "concurrency": 1,
        "loglevel": "ERROR",
        "quiet": True,
        "without_gossip": True,
        "without_mingle": True,
    }

    def __init__(self, app: Celery, tasks: int) -> None:
        self._app = app
        self._left = self._tasks = tasks
        self._started = self._started_cpu = 0.0
        self._measured: dict[str, float] = {}
        signals.task_prerun.connect(self._begins)
        signals.task_postrun.connect(self._ended)

    def measured(self) -> dict[str, float]:
        """Return the seconds by the clock and of the processor."""
        return self._measured

    def _begins(self, **_: Any) -> None:
        if self._left == self._tasks:
            self._started, self._started_cpu = time.perf_counter(), time.process_time()

    def _ended(self, **_: Any) -> None:
        self._left -= 1
        if not self._left:
            cpu = time.process_time() - self._started_cpu
            self._measured = {"seconds": time.perf_counter() - self._started, "cpu": cpu}
            self._app.control.broadcast("shutdown")
