"""The answers that are kept for requests sent with an `Idempotency-Key`."""

from django.db import models

from core.crypto import EncryptedJSONField
from core.models.base import BaseModel


class IdempotencyKey(BaseModel):
    """One key of one caller; the row is written in the transaction of the work it stands for."""

    owner = models.CharField(max_length=80)
    key = models.CharField(max_length=128)
    fingerprint = models.BinaryField(max_length=32)
    answer = EncryptedJSONField(null=True)
    expires_at = models.DateTimeField()

    class Meta:
        db_table = "idempotency_keys"
        constraints = [models.UniqueConstraint(fields=["owner", "key"], name="uq_idempotency_keys_owner_key")]
        indexes = [models.Index(fields=["expires_at"], name="idx_idempotency_keys_expires")]

    def __str__(self) -> str:
        return f"{self.owner} {self.key}"
