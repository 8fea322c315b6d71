"""What ran when: one row for each period of each schedule."""

from django.db import models

from core.models.base import TimestampedModel


class ScheduleRun(TimestampedModel):
    """One period of one schedule; the unique pair is what keeps two schedulers from running it twice."""

    PLANNED = "planned"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=100)
    due_at = models.DateTimeField()
    outcome = models.CharField(max_length=20, default=PLANNED, db_default=PLANNED)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=500, default="", db_default="", blank=True)
    result = models.TextField(default="", db_default="", blank=True)

    class Meta:
        db_table = "schedule_runs"
        constraints = [models.UniqueConstraint(fields=["name", "due_at"], name="uq_schedule_runs_name_due")]
        indexes = [models.Index(fields=["due_at"], name="idx_schedule_runs_due")]

    def __str__(self) -> str:
        return f"{self.name} at {self.due_at:%Y-%m-%d %H:%M:%S}"
