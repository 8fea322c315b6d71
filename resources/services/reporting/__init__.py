"""Reports: counts over a period, as a file."""

from resources.services.reporting.periods import Period, read_period
from resources.services.reporting.running import (
    FORMATS,
    KIND,
    make_monthly_reports,
    request_report,
    write_report,
)
from resources.services.reporting.tables import REPORTS

__all__ = [
    "FORMATS",
    "KIND",
    "REPORTS",
    "Period",
    "make_monthly_reports",
    "read_period",
    "request_report",
    "write_report",
]
