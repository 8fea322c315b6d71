"""What the doctor looks at in resources."""

from core.doctor import Finding, doctor_check
from core.doctor.findings import good, worth_a_look
from resources.services import followings


@doctor_check
def records_follow_their_schemas() -> Finding:
    """Look for types whose records have yet to follow a changed schema while nobody is at it."""
    waiting = [row for row in followings.told() if not row.has_job]
    if not waiting:
        return good("schemas followed", "by every record, or a job is at it")
    found = ", ".join(f"{row.type_key} ({row.work} since schema {row.schema_version})" for row in waiting)
    advice = "A job is promised within the hour; see in Jobs why the last one ended."
    return worth_a_look("schemas followed", f"not by all records of {found}", advice)
