"""Addresses that are mailed no longer, because mail to them came back or was called unwanted."""

from typing import Final

from django.db import models
from django.db.models import Q

from core.models import BaseModel

BOUNCE: Final = "bounce"
COMPLAINT: Final = "complaint"
REASONS: Final = {BOUNCE: "Mail came back for good", COMPLAINT: "Its owner called a mail unwanted"}


class SuppressedAddress(BaseModel):
    """One reason not to mail an address, in lower letters; it may have both."""

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
