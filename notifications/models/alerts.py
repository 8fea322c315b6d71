"""What staff were alerted about, from when until when."""

from django.db import models
from django.db.models import Q

from core.models import BaseModel


class Alert(BaseModel):
    """One trouble of the whole: told when it began and when it was over; never twice at the same time."""

    cause = models.CharField(max_length=200)
    title = models.CharField(max_length=200)
    text = models.CharField(max_length=1000)
    over_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "alerts"
        constraints = [
            models.UniqueConstraint(fields=["cause"], condition=Q(over_at=None), name="uq_alerts_open_cause")
        ]
        indexes = [models.Index(fields=["-created_at"], name="idx_alerts_age")]

    def __str__(self) -> str:
        return self.title
