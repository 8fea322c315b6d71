"""Personal access tokens: what a script signs in with, never more than its owner may do."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.db.models.lookups import Exact

from accounts.models.roles import JsonType
from core.models import BaseModel


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    """Reads by state."""

    def unrevoked(self) -> "ApiTokenQuerySet":
        """Return the tokens that nobody has ended; some may have expired."""
        return self.filter(revoked_at__isnull=True)

    def live(self) -> "ApiTokenQuerySet":
        """Return the tokens that still serve, as far as their owners are let in."""
        return self.unrevoked().filter(expires_at__gt=Now())


class ApiToken(BaseModel):
    """A secret for scripts; `token` is its digest, `prefix` the first characters by which its owner knows it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_tokens", db_index=False)
    name = models.CharField(max_length=100)
    token = models.CharField(max_length=64)
    prefix = models.CharField(max_length=12)
    scopes = models.JSONField(default=list)
    has_mfa = models.BooleanField(default=False, db_default=False)
    """Whether it was made in a session that had proved two factors."""

    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoke_reason = models.CharField(max_length=40, blank=True, default="", db_default="")

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        db_table = "api_tokens"
        verbose_name = "API token"
        constraints = [
            models.UniqueConstraint(fields=["token"], name="uq_api_tokens_token"),
            models.CheckConstraint(
                name="ck_api_tokens_scopes_array", condition=Exact(JsonType("scopes"), models.Value("array"))
            ),
        ]
        indexes = [
            models.Index(fields=["user", "-created_at"], name="idx_api_tokens_user_id"),
            models.Index(fields=["expires_at"], name="idx_api_tokens_expires_at"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
