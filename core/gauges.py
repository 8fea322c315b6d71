"""What `/metrics` looks up when it is asked: background work, the database's sessions, breakers."""

from collections.abc import Callable, Iterable
from typing import Final

from django.db import DatabaseError, InterfaceError, connection
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from core.breaker import states
from core.queue import lag

_BREAKER_VALUES = {"closed": 0, "half-open": 1, "open": 2}
_SESSIONS = """
SELECT coalesce(state, 'background'), count(*) FROM pg_stat_activity WHERE datname = current_database() GROUP BY 1
"""
_LATEST_RUNS = """
SELECT DISTINCT ON (name) name, extract(epoch FROM clock_timestamp() - due_at), (outcome = 'failed')::int
FROM schedule_runs ORDER BY name, due_at DESC
"""

_UNFINISHED_JOBS = "SELECT state, count(*) FROM jobs WHERE state IN ('queued', 'running') GROUP BY state"
_FAILED_JOBS = (
    "SELECT count(*) FROM jobs WHERE state = 'failed' AND created_at > statement_timestamp() - interval '7 days'"
)


LOOKED_UP: Final[list[Callable[[], Iterable[Metric]]]] = []


def looked_up(function: Callable[[], Iterable[Metric]]) -> Callable[[], Iterable[Metric]]:
    """Register what an app looks up in the database for each scrape, in its `gauges.py`."""
    LOOKED_UP.append(function)
    return function


class GaugeCollector(Collector):
    """Asks PostgreSQL and Redis once a scrape; without the database it says just that."""

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterable[Metric]:
        yield self._breakers()
        try:
            found = [*self._work(), *self._jobs(), self._sessions(), *self._schedules()]
            found += [family for function in LOOKED_UP for family in function()]
        except (DatabaseError, InterfaceError):
            connection.close()
            found = []
        yield gauge("nook_database_up", "Whether PostgreSQL answers.", int(bool(found)))
        yield from found

    def _work(self) -> Iterable[Metric]:
        work = lag()
        yield gauge("nook_outbox_lag_seconds", "How long the oldest due row has waited.", work["outbox_lag_seconds"])
        yield gauge("nook_outbox_rows", "Rows of the outbox.", work["outbox_rows"])
        yield gauge("nook_outbox_running", "Rows that a worker holds.", work["outbox_running"])
        yield gauge("nook_dead_letters", "Tasks that were given up.", work["dead_letters"])
        yield gauges("nook_queue_depth", "Rows of the outbox by queue.", "queue", work["queue_depth"])

    def _jobs(self) -> Iterable[Metric]:
        with connection.cursor() as cursor:
            cursor.execute(_UNFINISHED_JOBS)
            states = {"queued": 0, "running": 0} | dict(cursor.fetchall())
            cursor.execute(_FAILED_JOBS)
            (failed,) = cursor.fetchone()
        yield gauges("nook_jobs", "Jobs that have not ended.", "state", states)
        yield gauge("nook_jobs_failed", "Jobs of the last 7 days that failed.", failed)

    def _sessions(self) -> Metric:
        with connection.cursor() as cursor:
            cursor.execute(_SESSIONS)
            return gauges("nook_database_sessions", "Sessions of our database.", "state", dict(cursor.fetchall()))

    def _schedules(self) -> Iterable[Metric]:
        with connection.cursor() as cursor:
            cursor.execute(_LATEST_RUNS)
            rows = cursor.fetchall()
        ages = {name: float(age) for name, age, _ in rows}
        failed = {name: has_failed for name, _, has_failed in rows}
        yield gauges("nook_schedule_age_seconds", "Since the latest run was due.", "name", ages)
        yield gauges("nook_schedule_failed", "Whether the latest run failed.", "name", failed)

    def _breakers(self) -> Metric:
        values = {name: _BREAKER_VALUES[state] for name, state in states().items()}
        return gauges("nook_breaker_state", "0 closed, 1 half-open, 2 open.", "name", values)


def gauge(name: str, text: str, value: float) -> Metric:
    """Return one number."""
    return GaugeMetricFamily(name, text, value=value)


def gauges(name: str, text: str, label: str, values: dict[str, float] | dict[str, int]) -> Metric:
    """Return a number for each value of a label."""
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
