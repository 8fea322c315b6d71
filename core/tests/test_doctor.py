"""The doctor finds what is wrong, says what to do, and fails when something is red."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from core.doctor import CHECKS, Finding, examine
from core.models import DeadLetter, OutboxRow, ScheduleRun
from core.redis_link import link_to
from core.tests.files import use_s3
from core.tests.platform import OwnRedis

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _clock_runs(db: None) -> None:
    """A run of a schedule was made a moment ago."""
    now = timezone.now()
    ScheduleRun.objects.create(name="seal", due_at=now, outcome=ScheduleRun.SUCCEEDED)


def examined() -> dict[str, Finding]:
    return {finding.subject: finding for finding in examine()}


def run() -> tuple[int, str]:
    output = StringIO()
    try:
        call_command("doctor", stdout=output, no_color=True)
    except SystemExit as end:
        return int(str(end.code)), output.getvalue()
    return 0, output.getvalue()


def test_a_healthy_installation_has_nothing_red() -> None:
    findings = examined()

    assert len(findings) == len(CHECKS)
    assert {finding.subject for finding in findings.values() if finding.level == "red"} == set()
    assert all(finding.advice for finding in findings.values() if finding.level != "green")


def test_the_command_tells_everything_and_ends_well() -> None:
    code, output = run()

    assert code == 0
    assert "ok   migrations: all applied\n" in output
    assert output.splitlines()[-1].endswith(" 0 bad.")


def test_an_open_migration_is_red_and_fails_the_command() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'resources'")

    code, output = run()

    assert code == 1
    assert "BAD  migrations: " in output
    assert "Run manage.py migrate." in output


def test_lost_redis_and_broker_are_red(settings: Settings) -> None:
    settings.CACHE_URL = settings.STATE_URL = "redis://127.0.0.1:1/0"

    findings = examined()

    assert {findings[name].level for name in ("cache", "state")} == {"red"}


def test_a_state_server_that_evicts_is_told(own_redis: OwnRedis) -> None:
    link_to(own_redis.url).call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")

    finding = examined()["state"]

    assert finding.level == "yellow"
    assert finding.advice == "Set maxmemory-policy noeviction."


def test_work_that_waits_is_told(db: None) -> None:
    OutboxRow.objects.create(task="a.b", queue="default", due_at=timezone.now() - timedelta(minutes=5))
    now = timezone.now()
    DeadLetter.objects.create(outbox_id=1, task="a.b", queue="default", attempts=8, reason="x", first_at=now)

    findings = examined()

    assert (findings["outbox"].level, findings["dead letters"].level) == ("red", "yellow")
    assert findings["outbox"].found.startswith("1 rows, the oldest due one waits for 3")
    assert findings["dead letters"].found == "1 tasks were given up"


def test_a_clock_that_stands_and_a_run_that_failed_are_told() -> None:
    ScheduleRun.objects.create(name="purge", due_at=timezone.now(), outcome=ScheduleRun.FAILED)
    assert examined()["schedules"].found == "the latest run failed: purge"

    ScheduleRun.objects.all().delete()
    finding = examined()["schedules"]
    assert (finding.level, finding.found) == ("red", "no run was ever made")


def test_an_event_that_nobody_seals_is_told() -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO events (type, occurred_at) VALUES ('user.created', now() - interval '5 minutes')")

    finding = examined()["audit"]

    assert finding.level == "red"
    assert finding.found == "events of the last 300 s are not sealed"


def test_a_missing_month_is_told() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_char((now() AT TIME ZONE 'UTC') + interval '1 month', '\"events_\"YYYY_MM')")
        (name,) = cursor.fetchone()
        cursor.execute(f"ALTER TABLE events DETACH PARTITION {name}")

    finding = examined()["partitions"]

    assert (finding.level, finding.found) == ("red", f"{name} is not there")


def test_a_file_store_that_does_not_answer_is_red(settings: Settings) -> None:
    use_s3(settings, "http://127.0.0.1:1")

    assert examined()["files"].level == "red"


def test_the_metrics_hold_what_is_looked_up(client: Client, settings: Settings) -> None:
    settings.METRICS_ALLOWED_NETWORKS = ["127.0.0.1"]
    OutboxRow.objects.create(task="a.b", queue="bulk", due_at=timezone.now() - timedelta(minutes=5))

    text = client.get("/metrics").content.decode()

    assert "nook_database_up 1.0" in text
    assert 'nook_queue_depth{queue="bulk"} 1.0' in text
    assert 'nook_queue_depth{queue="critical"} 0.0' in text
    assert "nook_outbox_lag_seconds 3" in text
    assert "nook_dead_letters 0.0" in text
    assert 'nook_database_sessions{state="active"}' in text
    assert 'nook_schedule_failed{name="seal"} 0.0' in text
