"""How often someone has failed to sign in to one account."""

from django.db import models

from core.models import TimestampedModel


class SignInThrottle(TimestampedModel):
    """The failures for one address (known or not), one known device of it or one session; `key` is a digest."""

    key = models.CharField(max_length=64, primary_key=True)
    failures = models.PositiveIntegerField(default=0, db_default=0)
    failed_at = models.DateTimeField()
    blocked_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "sign_in_throttles"
        indexes = [models.Index(fields=["failed_at"], name="idx_sign_in_throttles_failed")]

    def __str__(self) -> str:
        return self.key
