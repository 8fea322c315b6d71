"""Addresses and numbers that are told nothing more, because what they were sent came back or was unwanted."""

from typing import Final

from django.db import models
from django.db.models import Q

from core.models import BaseModel

BOUNCE: Final = "bounce"
COMPLAINT: Final = "complaint"
REASONS: Final = {BOUNCE: "What was sent came back for good", COMPLAINT: "Its owner wants no such messages"}


class SuppressedAddress(BaseModel):
    """One reason to send nothing to an address (in lower letters) or a number; it may have both."""

    address = models.CharField(max_length=320)
    reason = models.CharField(max_length=20)
    detail = models.CharField(max_length=300, blank=True, default="", db_default="")
    """What the other side said."""

    class Meta:
        db_table = "suppressed_addresses"
        verbose_name_plural = "suppressed addresses"
        constraints = [
            models.CheckConstraint(condition=Q(reason__in=list(REASONS)), name="ck_suppressed_addresses_reason"),
            models.UniqueConstraint(fields=["address", "reason"], name="uq_suppressed_addresses_address"),
        ]
        indexes = [models.Index(fields=["-created_at"], name="idx_suppressed_addresses_age")]

    def __str__(self) -> str:
        return self.address
