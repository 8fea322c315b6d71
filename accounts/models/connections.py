"""Social sign-in: which accounts at providers open which account here, and the flows that are on their way."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from core.crypto import EncryptedJSONField
from core.models import BaseModel


class Connection(BaseModel):
    """An account at a provider that signs its user in; `issuer` and `subject` are what never changes about it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="connections", db_index=False)
    provider = models.CharField(max_length=40)
    issuer = models.CharField(max_length=500)
    subject = models.CharField(max_length=255)
    email = models.CharField(max_length=255, blank=True, default="", db_default="")
    last_used_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "connections"
        constraints = [
            models.UniqueConstraint(fields=["provider", "issuer", "subject"], name="uq_connections_identity"),
        ]
        indexes = [models.Index(fields=["user", "-created_at"], name="idx_connections_user_id")]

    def __str__(self) -> str:
        return f"{self.provider} {self.email or self.subject}"


class SocialFlow(BaseModel):
    """A way to a provider and back, for ten minutes and once; `user` is set where it is to add a connection.

    `state` and `binding` are digests: of what travels through the browser's address, and of what never leaves
    the browser (or app) that set out.
    """

    state = models.CharField(max_length=64)
    binding = models.CharField(max_length=64)
    provider = models.CharField(max_length=40)
    redirect_uri = models.CharField(max_length=2000)
    secrets = EncryptedJSONField()
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="social_flows", null=True, blank=True, db_index=False
    )
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "social_flows"
        constraints = [models.UniqueConstraint(fields=["state"], name="uq_social_flows_state")]
        indexes = [
            models.Index(fields=["expires_at"], name="idx_social_flows_expires_at"),
            models.Index(fields=["user"], name="idx_social_flows_user_id"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.pk}"
