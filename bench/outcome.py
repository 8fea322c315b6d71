"""What a piece of work is measured by, on both sides of the process that does it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one piece of work took, in rows, seconds (of the clock, of the worker, of PostgreSQL) and MiB."""

    rows: int
    seconds: float
    cpu: float
    database_cpu: float
    resident_mebibytes: float
