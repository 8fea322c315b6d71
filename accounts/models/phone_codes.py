"""The code that was sent to prove a telephone number."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from core.models import BaseModel

TRIES = 5


class PhoneCode(BaseModel):
    """The one open code of a user; the digest is keyed, and binds the code to user and number."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="phone_code")
    digest = models.CharField(max_length=64)
    tries_left = models.PositiveSmallIntegerField(default=TRIES, db_default=TRIES)
    expires_at = models.DateTimeField()

    class Meta:
        db_table = "phone_codes"
        constraints = [models.CheckConstraint(condition=Q(tries_left__lte=TRIES), name="ck_phone_codes_tries")]
        indexes = [models.Index(fields=["expires_at"], name="idx_phone_codes_expires")]

    def __str__(self) -> str:
        return f"a code for {self.user_id}"
