"""Threats: what a rule has seen on the event log, once per person and window, until somebody has looked at it."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from core.models import BaseModel


class Threat(BaseModel):
    """One finding; `key` is the window (or the thing) within which the rule tells of it once."""

    rule = models.CharField(max_length=60)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="threats", db_index=False)
    key = models.CharField(max_length=64)
    summary = models.CharField(max_length=500)
    evidence = models.JSONField(default=dict, db_default={})
    count = models.PositiveIntegerField(default=1, db_default=1)
    first_seen_at = models.DateTimeField(db_default=Now())
    last_seen_at = models.DateTimeField(db_default=Now())
    reviewed_at = models.DateTimeField(null=True, blank=True)
    reviewed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, related_name="reviewed_threats", null=True, blank=True
    )

    class Meta:
        db_table = "threats"
        constraints = [models.UniqueConstraint(fields=["user", "rule", "key"], name="uq_threats_user_id_rule_key")]
        indexes = [models.Index(fields=["-last_seen_at"], name="idx_threats_last_seen_at")]

    def __str__(self) -> str:
        return f"{self.rule} {self.pk}"
