"""Passkeys (WebAuthn credentials), and the challenges that are out for authenticators to sign."""

from typing import Final

from django.conf import settings
from django.db import models

from core.models import BaseModel

LONGEST_CREDENTIAL_ID: Final = 1364
"""1,023 bytes, the most that WebAuthn Level 3 allows, as base64url."""


class Passkey(BaseModel):
    """The public half of a key that an authenticator of the user holds; no secret is in it.

    `user_handle` is what authenticators know the account by: random, the same for all of an account's passkeys.
    `backup_eligible` says whether the key may be synchronised between devices, `backed_up` whether it is.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="passkeys", db_index=False)
    name = models.CharField(max_length=100)
    credential_id = models.CharField(max_length=LONGEST_CREDENTIAL_ID)
    public_key = models.BinaryField()
    sign_count = models.BigIntegerField(default=0, db_default=0)
    user_handle = models.CharField(max_length=86)
    aaguid = models.UUIDField()
    transports = models.JSONField(default=list, db_default=[])
    backup_eligible = models.BooleanField(default=False, db_default=False)
    backed_up = models.BooleanField(default=False, db_default=False)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "passkeys"
        constraints = [
            models.UniqueConstraint(fields=["credential_id"], name="uq_passkeys_credential_id"),
            models.CheckConstraint(name="ck_passkeys_sign_count", condition=models.Q(sign_count__gte=0)),
        ]
        indexes = [models.Index(fields=["user", "created_at"], name="idx_passkeys_user_id")]

    def __str__(self) -> str:
        return self.name


class PasskeyChallenge(BaseModel):
    """Random bytes that one authenticator may sign once, for one purpose; gone when it has.

    `bound_to` is the digest of what the challenge belongs to: the session that adds a passkey, or the
    `mfa_token` of a sign-in that waits for its second factor.
    """

    challenge = models.CharField(max_length=43)
    purpose = models.CharField(max_length=20)
    bound_to = models.CharField(max_length=64, blank=True, default="", db_default="")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="passkey_challenges", null=True, blank=True
    )
    user_handle = models.CharField(max_length=86, blank=True, default="", db_default="")
    expires_at = models.DateTimeField()

    class Meta:
        db_table = "passkey_challenges"
        constraints = [models.UniqueConstraint(fields=["challenge"], name="uq_passkey_challenges_challenge")]
        indexes = [models.Index(fields=["expires_at"], name="idx_passkey_challenges_expires")]

    def __str__(self) -> str:
        return f"{self.purpose} {self.pk}"
