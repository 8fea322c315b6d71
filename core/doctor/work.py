"""How the background work and the log are."""

from typing import Final

from django.db import connection

from core import partitions as months
from core.doctor.findings import Finding, bad, good, worth_a_look
from core.log_rights import may_rewrite
from core.queue import lag
from core.schedules import registered

_LATE_AFTER: Final = 60
_UNSEALED = """
SELECT coalesce(extract(epoch FROM clock_timestamp() - min(occurred_at)), 0) FROM events
WHERE seq > coalesce((SELECT event_seq FROM event_seals ORDER BY position DESC LIMIT 1), 0)
"""
_RUNS = """
SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - max(created_at)), 0) FROM schedule_runs
"""
_FAILED_RUNS = """
SELECT name FROM (SELECT DISTINCT ON (name) name, outcome FROM schedule_runs ORDER BY name, due_at DESC) latest
WHERE outcome = 'failed' ORDER BY name
"""
_AHEAD = """
SELECT to_char((now() AT TIME ZONE 'UTC') + interval '1 month', '"events_"YYYY_MM')
"""


def outbox() -> Finding:
    """Look how long promised work waits for the relay."""
    work = lag()
    seconds = work["outbox_lag_seconds"]
    found = f"{work['outbox_rows']} rows, the oldest due one waits for {seconds:.0f} s"
    if seconds > 5:
        advice = "See that relay, broker and workers run: manage.py relay, celery worker."
        return (bad if seconds > _LATE_AFTER else worth_a_look)("outbox", found, advice)
    return good("outbox", found)


def dead_letters() -> Finding:
    """Look whether work was given up."""
    count = lag()["dead_letters"]
    if count:
        return worth_a_look(
            "dead letters", f"{count} tasks were given up", "manage.py dlq list; then retry or discard."
        )
    return good("dead letters", "none")


def schedules() -> Finding:
    """Look whether the clock runs, and whether the latest run of each schedule went well."""
    with connection.cursor() as cursor:
        cursor.execute(_RUNS)
        count, age = cursor.fetchone()
        cursor.execute(_FAILED_RUNS)
        failed = [name for (name,) in cursor.fetchall()]
    if registered() and (not count or age > 3600):
        found = f"the last run was made {age / 60:.0f} minutes ago" if count else "no run was ever made"
        return bad("schedules", found, "Start manage.py beat.")
    if failed:
        return worth_a_look("schedules", f"the latest run failed: {', '.join(failed)}", "See Schedules in the admin.")
    return good("schedules", f"{len(registered())} registered, the clock runs")


def audit_seal() -> Finding:
    """Look whether the log is sealed as it grows."""
    with connection.cursor() as cursor:
        cursor.execute(_UNSEALED)
        (age,) = cursor.fetchone()
    if age > _LATE_AFTER:
        return bad("audit", f"events of the last {age:.0f} s are not sealed", "Start manage.py beat and a worker.")
    return good("audit", f"sealed up to {age:.0f} s ago" if age else "sealed to the last event")


def partitions() -> Finding:
    """Look whether next month has its table."""
    with connection.cursor() as cursor:
        cursor.execute(_AHEAD)
        (next_month,) = cursor.fetchone()
    if next_month not in months.months():
        return bad("partitions", f"{next_month} is not there", "Run manage.py partitions.")
    return good("partitions", f"up to {months.months()[-1]}")


def audit_rights() -> Finding:
    """Look whether the grants, too, keep the application from rewriting the log."""
    if may_rewrite():
        found = "the role of this connection owns the event log, or was granted to change it"
        return worth_a_look("audit rights", found, "Give the application its own role; then manage.py protect_log.")
    return good("audit rights", "only adding and reading")
