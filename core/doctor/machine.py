"""How this machine is."""

import shutil
import time
from pathlib import Path

from django.conf import settings
from django.db import connection

from core.doctor.findings import Finding, bad, good, worth_a_look
from core.health import memory_is_left


def clock() -> Finding:
    """Look whether this machine and PostgreSQL agree on the time."""
    with connection.cursor() as cursor:
        before = time.time()
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
        (theirs,) = cursor.fetchone()
    skew = theirs - (before + time.time()) / 2
    found = f"{skew:+.2f} s between this machine and PostgreSQL"
    if abs(skew) > 1:
        return (bad if abs(skew) > 5 else worth_a_look)("clock", found, "Run chrony or another NTP client on both.")
    return good("clock", found)


def disk() -> Finding:
    """Look how much room the data folder has."""
    folder = next(path for path in (settings.DATA_DIR, *Path(settings.DATA_DIR).resolve().parents) if path.exists())
    usage = shutil.disk_usage(folder)
    share = usage.free / usage.total
    found = f"{usage.free / 1e9:.1f} GB free of {usage.total / 1e9:.1f} GB"
    if share < 0.15:
        return (bad if share < 0.05 else worth_a_look)("disk", found, "Make room, or move NOOK_DATA_DIR.")
    return good("disk", found)


def memory() -> Finding:
    """Look whether the machine or the container has memory to give."""
    if not memory_is_left():
        return bad("memory", "almost none is left", "Run fewer processes, or give the machine more.")
    return good("memory", "enough is left")
