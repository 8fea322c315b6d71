"""How times are written wherever they leave the system."""

from datetime import UTC, datetime


def rfc3339(moment: datetime) -> str:
    """Return an aware time as RFC 3339 in UTC, with microseconds and `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
