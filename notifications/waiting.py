"""Until when a message waits: for the end of somebody's quiet hours, or for their next digest. Pure arithmetic.

Quiet hours are a stretch of time between two readings of a wall clock. Where a change of the clock doubles the
reading they end at the second; where it leaves the reading out, they begin or end as much later as the clock jumped
(RFC 5545 reads such times the same way).
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from notifications.models import COLLECTING, HELD, HOURLY, OFF

DIGEST_TIME: Final = time(8)
"""When the daily digest leaves, on the clock of its reader."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """When one person wants to be written to; `quiet_zone` and `zone` are IANA names."""

    zone: str = "UTC"
    quiet_from: time | None = None
    quiet_until: time | None = None
    quiet_zone: str = ""
    digest: str = OFF


@dataclass(frozen=True, slots=True)
class Wait:
    """In which state a message waits, and until when."""

    state: str
    until: datetime


def wait_for(wishes: Wishes, now: datetime) -> Wait | None:
    """Return how a message of this moment waits, or None when it leaves at once."""
    if wishes.digest != OFF:
        due = next_digest(wishes, now)
        return Wait(COLLECTING, end_of_quiet_hours(wishes, due) or due)
    end = end_of_quiet_hours(wishes, now)
    return None if end is None else Wait(HELD, end)


def end_of_quiet_hours(wishes: Wishes, now: datetime) -> datetime | None:
    """Return when the quiet hours end that `now` falls into, or None when it falls into none."""
    if wishes.quiet_from is None or wishes.quiet_until is None:
        return None
    zone = zone_of(wishes.quiet_zone or wishes.zone)
    today = now.astimezone(zone).date()
    # Those of yesterday may still last; those of the day before do not, however the clock was changed.
    for day in (today - timedelta(days=1), today):
        last_day = day + timedelta(days=wishes.quiet_until <= wishes.quiet_from)
        end = _latest(last_day, wishes.quiet_until, zone)
        if _first(day, wishes.quiet_from, zone) <= now < end:
            return end
    return None


def next_digest(wishes: Wishes, now: datetime) -> datetime:
    """Return when the next digest leaves: at the full hour, or at `DIGEST_TIME`, on the reader's clock."""
    zone = zone_of(wishes.zone)
    local = now.astimezone(zone)
    if wishes.digest == HOURLY:
        past_the_hour = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        return now - past_the_hour + timedelta(hours=1)
    days = (local.date() + timedelta(days=number) for number in range(2))
    moments = (_first(day, DIGEST_TIME, zone) for day in days)
    return next(moment for moment in moments if moment > now)


def zone_of(name: str) -> ZoneInfo:
    """Return the zone; UTC for a name that this machine's data has no longer."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def _first(day: date, reading: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, reading, tzinfo=zone).astimezone(UTC)


def _latest(day: date, reading: time, zone: ZoneInfo) -> datetime:
    return max(_first(day, reading.replace(fold=fold), zone) for fold in (0, 1))
