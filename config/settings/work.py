"""Imports, exports and reports."""

from config import env

IMPORT_MAX_MEBIBYTES = env.integer(
    "IMPORT_MAX_MEBIBYTES",
    100,
    help="How large a file to import may be; the proxy in front has a limit too.",
    minimum=1,
)
MONTHLY_REPORTS = env.boolean(
    "MONTHLY_REPORTS", True, help="Whether administrators get a report on the resources of each month."
)
