"""Secrets that travel by mail and serve once: confirm an address, set a password."""

from django.conf import settings
from django.db import models

from core.models import BaseModel


class SingleUseToken(BaseModel):
    """A digest with a purpose and an end; at most one is open per user and purpose."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="single_use_tokens", db_index=False)
    purpose = models.CharField(max_length=40)
    token = models.CharField(max_length=64)
    email = models.CharField(max_length=255, blank=True, default="", db_default="")
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "single_use_tokens"
        constraints = [
            models.UniqueConstraint(fields=["token"], name="uq_single_use_tokens_token"),
            models.UniqueConstraint(
                fields=["user", "purpose"],
                condition=models.Q(used_at__isnull=True),
                name="uq_single_use_tokens_open",
            ),
        ]
        indexes = [models.Index(fields=["expires_at"], name="idx_single_use_tokens_expires")]

    def __str__(self) -> str:
        return f"{self.purpose} {self.pk}"
