"""Two-factor sign-in: authenticator apps, recovery codes, and sign-ins that wait for their second step."""

from django.conf import settings
from django.db import models

from core.crypto import EncryptedTextField
from core.models import BaseModel


class TotpDevice(BaseModel):
    """An authenticator app (RFC 6238); at most one is confirmed and one waits to be, per user.

    `last_step` is the time step of the last code that served: a code serves only for a later one. The flag
    `users.mfa_enabled` follows this table by a trigger.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="totp_devices", db_index=False)
    secret = EncryptedTextField()
    confirmed_at = models.DateTimeField(null=True, blank=True)
    last_step = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        db_table = "totp_devices"
        constraints = [
            models.UniqueConstraint(
                fields=["user"], condition=models.Q(confirmed_at__isnull=False), name="uq_totp_devices_confirmed"
            ),
            models.UniqueConstraint(
                fields=["user"], condition=models.Q(confirmed_at__isnull=True), name="uq_totp_devices_pending"
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class RecoveryCode(BaseModel):
    """The keyed digest of a code that lets its user in once when the phone is gone."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="recovery_codes", db_index=False)
    code = models.CharField(max_length=64)
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "recovery_codes"
        constraints = [models.UniqueConstraint(fields=["user", "code"], name="uq_recovery_codes_user_id_code")]

    def __str__(self) -> str:
        return str(self.pk)


class MfaChallenge(BaseModel):
    """A sign-in whose first step is done; `token` is the digest of the `mfa_token` that names it.

    It belongs to the user's password as it was (`password_state`), and to the device it began on where that one
    was known (`device`); both are digests.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="mfa_challenges", db_index=False)
    token = models.CharField(max_length=64)
    password_state = models.CharField(max_length=64)
    device = models.CharField(max_length=64, blank=True, default="", db_default="")
    amr = models.JSONField(default=list, db_default=[])
    tries = models.PositiveSmallIntegerField(default=0, db_default=0)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "mfa_challenges"
        constraints = [models.UniqueConstraint(fields=["token"], name="uq_mfa_challenges_token")]
        indexes = [
            models.Index(fields=["user"], name="idx_mfa_challenges_user_id"),
            models.Index(fields=["expires_at"], name="idx_mfa_challenges_expires"),
        ]

    def __str__(self) -> str:
        return str(self.pk)
