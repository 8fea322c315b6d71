"""Quiet hours and digests on people's clocks, on the days too on which those are changed."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.models import COLLECTING, DAILY, HELD, HOURLY
from notifications.waiting import Wait, Wishes, end_of_quiet_hours, next_digest, wait_for

BERLIN = "Europe/Berlin"
NIGHT = Wishes(zone=BERLIN, quiet_from=time(22), quiet_until=time(7))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-06-10T21:59:59+02:00", None),
        ("2026-06-10T22:00:00+02:00", "2026-06-11T07:00:00+02:00"),
        ("2026-06-11T06:59:59+02:00", "2026-06-11T07:00:00+02:00"),
        ("2026-06-11T07:00:00+02:00", None),
        # The night that the clock is put forward ends on summer time, the one that it is put back on winter time.
        ("2026-03-28T23:00:00+01:00", "2026-03-29T07:00:00+02:00"),
        ("2026-03-29T03:30:00+02:00", "2026-03-29T07:00:00+02:00"),
        ("2026-10-24T23:00:00+02:00", "2026-10-25T07:00:00+01:00"),
        ("2026-10-25T02:30:00+02:00", "2026-10-25T07:00:00+01:00"),
        ("2026-10-25T02:30:00+01:00", "2026-10-25T07:00:00+01:00"),
    ],
)
def test_quiet_hours_end_in_the_morning_on_both_changes_of_the_clock(now: str, end: str | None) -> None:
    assert end_of_quiet_hours(NIGHT, at(now)) == (at(end) if end else None)


@pytest.mark.parametrize(
    ("now", "end"),
    [
        # 02:30 stands on the clock twice: they end at the second, and no message slips out in between.
        ("2026-10-25T02:29:00+02:00", "2026-10-25T02:30:00+01:00"),
        ("2026-10-25T02:45:00+02:00", "2026-10-25T02:30:00+01:00"),
        ("2026-10-25T02:29:00+01:00", "2026-10-25T02:30:00+01:00"),
        ("2026-10-25T02:30:00+01:00", None),
        # 02:30 never stands on the clock: they end an hour later by the clock, as long as on any day.
        ("2026-03-29T01:59:00+01:00", "2026-03-29T03:30:00+02:00"),
        ("2026-03-29T03:29:00+02:00", "2026-03-29T03:30:00+02:00"),
        ("2026-03-29T03:30:00+02:00", None),
    ],
)
def test_quiet_hours_that_end_at_a_doubled_or_missing_reading_have_one_end(now: str, end: str | None) -> None:
    wishes = Wishes(zone=BERLIN, quiet_from=time(22), quiet_until=time(2, 30))

    assert end_of_quiet_hours(wishes, at(now)) == (at(end) if end else None)


def test_quiet_hours_that_begin_at_a_missing_reading_begin_later() -> None:
    wishes = Wishes(zone=BERLIN, quiet_from=time(2, 30), quiet_until=time(6))

    assert end_of_quiet_hours(wishes, at("2026-03-29T03:10:00+02:00")) is None
    assert end_of_quiet_hours(wishes, at("2026-03-29T03:30:00+02:00")) == at("2026-03-29T06:00:00+02:00")


def test_quiet_hours_may_have_a_zone_of_their_own() -> None:
    wishes = Wishes(zone=BERLIN, quiet_from=time(12), quiet_until=time(13), quiet_zone="Asia/Kathmandu")

    assert end_of_quiet_hours(wishes, at("2026-06-10T12:30:00+05:45")) == at("2026-06-10T13:00:00+05:45")
    assert end_of_quiet_hours(wishes, at("2026-06-10T12:30:00+02:00")) is None


@given(
    moment=st.integers(0, 3 * 365 * 24 * 60).map(lambda minutes: at("2025-01-01T00:00Z") + timedelta(minutes=minutes)),
    begin=st.times(),
    end=st.times(),
    zone=st.sampled_from([BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"]),
)
def test_what_waits_for_the_end_of_quiet_hours_does_not_wait_there_again(
    moment: datetime, begin: time, end: time, zone: str
) -> None:
    wishes = Wishes(zone=zone, quiet_from=begin.replace(fold=0), quiet_until=end.replace(fold=0))
    until = end_of_quiet_hours(wishes, moment)

    if until is not None:
        assert moment < until <= moment + timedelta(hours=25)
        assert end_of_quiet_hours(wishes, until) is None or begin >= end


def test_the_hourly_digest_leaves_at_the_full_hour_of_the_readers_clock() -> None:
    wishes = Wishes(zone="Asia/Kathmandu", digest=HOURLY)

    assert next_digest(wishes, at("2026-06-10T12:30:00+05:45")) == at("2026-06-10T13:00:00+05:45")
    assert next_digest(wishes, at("2026-06-10T13:00:00+05:45")) == at("2026-06-10T14:00:00+05:45")


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-03-28T07:59:00+01:00", "2026-03-28T08:00:00+01:00"),
        ("2026-03-28T08:00:00+01:00", "2026-03-29T08:00:00+02:00"),
        ("2026-10-24T09:00:00+02:00", "2026-10-25T08:00:00+01:00"),
    ],
)
def test_the_daily_digest_leaves_in_the_morning_whatever_the_clock_does(now: str, due: str) -> None:
    assert next_digest(Wishes(zone=BERLIN, digest=DAILY), at(now)) == at(due)


def test_a_digest_that_falls_into_quiet_hours_waits_for_their_end() -> None:
    wishes = Wishes(zone=BERLIN, quiet_from=time(22), quiet_until=time(9), digest=DAILY)

    assert wait_for(wishes, at("2026-06-10T12:00:00+02:00")) == Wait(COLLECTING, at("2026-06-11T09:00:00+02:00"))


def test_without_a_digest_only_quiet_hours_are_waited_for() -> None:
    assert wait_for(NIGHT, at("2026-06-10T12:00:00+02:00")) is None
    assert wait_for(NIGHT, at("2026-06-10T23:00:00+02:00")) == Wait(HELD, at("2026-06-11T07:00:00+02:00"))
    assert wait_for(Wishes(zone="Mars/Olympus"), datetime.now(ZoneInfo("UTC"))) is None
