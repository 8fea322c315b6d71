"""Sessions: one sign-in on one device, the refresh token that keeps it alive, and the tokens it has spent."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from core.models import BaseModel


def password_only() -> list[str]:
    """Return the authentication methods (RFC 8176) of a sign-in by password alone."""
    return ["pwd"]


class SessionQuerySet(models.QuerySet["Session"]):
    """Reads by state."""

    def live(self) -> "SessionQuerySet":
        """Return the sessions that still serve."""
        return self.filter(revoked_at__isnull=True, expires_at__gt=Now())

    def expired(self) -> "SessionQuerySet":
        """Return the sessions that serve no longer, for whatever reason."""
        return self.filter(models.Q(revoked_at__isnull=False) | models.Q(expires_at__lte=Now()))


class Session(BaseModel):
    """A sign-in; `token` is the digest of the one refresh token that is live, never a token.

    With `impersonated_by`, that administrator's stay in the user's place (see `Impersonation`).
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="sessions", db_index=False)
    token = models.CharField(max_length=64)
    expires_at = models.DateTimeField()
    authenticated_at = models.DateTimeField(db_default=Now())
    last_seen_at = models.DateTimeField(db_default=Now())
    amr = models.JSONField(default=password_only, db_default=["pwd"])
    device = models.CharField(max_length=100, blank=True, default="", db_default="")
    ip = models.GenericIPAddressField(null=True, blank=True)
    user_agent = models.CharField(max_length=500, blank=True, default="", db_default="")
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoke_reason = models.CharField(max_length=40, blank=True, default="", db_default="")
    impersonated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="+", editable=False
    )

    objects = SessionQuerySet.as_manager()

    class Meta:
        db_table = "sessions"
        constraints = [models.UniqueConstraint(fields=["token"], name="idx_sessions_token")]
        indexes = [
            models.Index(fields=["user", "-created_at"], name="idx_sessions_user_id"),
            models.Index(fields=["expires_at"], name="idx_sessions_expires_at"),
        ]

    def __str__(self) -> str:
        return f"{self.device or 'session'} {self.pk}"


class SpentRefreshToken(BaseModel):
    """A refresh token that was redeemed: the memory by which a thief is known.

    `salt` is what its successor was derived with (`accounts.tokens.successor`), so a twin inside the
    grace period arrives at the same successor and the family stays one line.
    """

    session = models.ForeignKey(Session, models.CASCADE, related_name="spent_tokens", db_index=False)
    token = models.CharField(max_length=64)
    salt = models.CharField(max_length=64)
    spent_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "spent_tokens"
        constraints = [models.UniqueConstraint(fields=["token"], name="uq_spent_tokens_token")]
        indexes = [models.Index(fields=["session"], name="idx_spent_tokens_session_id")]

    def __str__(self) -> str:
        return str(self.pk)


class KnownDevice(BaseModel):
    """A browser or app from which its user has signed in: a stranger's failures do not lock it out."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="known_devices", db_index=False)
    token = models.CharField(max_length=64)
    last_seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "known_devices"
        constraints = [models.UniqueConstraint(fields=["user", "token"], name="uq_known_devices_user_id_token")]

    def __str__(self) -> str:
        return str(self.pk)
