"""Impersonation: an administrator acts as somebody else, for a while, for a reason that both can read."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from accounts.models.sessions import Session
from core.models import BaseModel
from core.permissions import ADMIN


class ImpersonationQuerySet(models.QuerySet["Impersonation"]):
    """Reads by state."""

    def open(self) -> Self:
        """Return those that nobody has ended."""
        return self.filter(ended_at=None)

    def live(self) -> Self:
        """Return those that hold at this moment: in time, with an administrator who is one and signed in.

        `accounts.identity` asks the same of the database for access tokens.
        """
        return (
            self.open()
            .filter(
                until__gt=Now(),
                session__revoked_at=None,
                administrator_session__revoked_at=None,
                administrator_session__expires_at__gt=Now(),
                administrator__is_active=True,
                administrator__deleted_at=None,
                administrator__role__permissions__contains=[ADMIN],
                user__is_active=True,
                user__deleted_at=None,
            )
            .exclude(user__role__permissions__contains=[ADMIN])
        )


class Impersonation(BaseModel):
    """One stay of an administrator in somebody's place; `session` is what that user sees and can end."""

    administrator = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", db_index=False
    )
    administrator_session = models.ForeignKey(Session, models.SET_NULL, null=True, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_index=False)
    session = models.OneToOneField(Session, models.SET_NULL, null=True, related_name="impersonation")
    reason = models.CharField(max_length=300)
    until = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.CharField(max_length=40, blank=True, default="", db_default="")

    objects = ImpersonationQuerySet.as_manager()

    class Meta:
        db_table = "impersonations"
        constraints = [
            models.UniqueConstraint(
                fields=["administrator"], condition=models.Q(ended_at__isnull=True), name="uq_impersonations_open"
            ),
            models.CheckConstraint(condition=~models.Q(reason=""), name="ck_impersonations_reason"),
        ]
        indexes = [
            models.Index(fields=["administrator", "-created_at"], name="idx_impersonations_admin_id"),
            models.Index(fields=["user", "-created_at"], name="idx_impersonations_user_id"),
        ]

    def __str__(self) -> str:
        return f"{self.administrator} as {self.user}"
