"""Where push notices arrive: people's devices, and which of them a message has reached already."""

from typing import ClassVar, Final, Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from core.crypto import EncryptedJSONField
from core.models import BaseModel
from core.permissions import Caller

WEB = "web"
FCM = "fcm"
APNS = "apns"
PLATFORMS: Final = (WEB, FCM, APNS)


class DeviceQuerySet(models.QuerySet["Device"]):
    """Reads of devices."""

    def visible_to(self, caller: Caller) -> Self:
        """Return the caller's own devices: the one door to them."""
        return self.filter(user_id=caller.own_id)


class Device(BaseModel):
    """One browser or app that takes push notices for whoever last signed in on it.

    `address` is what the provider knows it by, encrypted: a registration token (`{"token"}`), or a browser's
    subscription (`{"endpoint", "p256dh", "auth"}`). It is found by the digest of its token or endpoint.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_index=False)
    platform = models.CharField(max_length=10)
    address = EncryptedJSONField()
    address_digest = models.BinaryField(max_length=32, editable=False)
    name = models.CharField(max_length=100, blank=True, default="", db_default="")
    session_id = models.UUIDField(null=True, blank=True, editable=False)
    """The session that registered it: when that ends, the device is told nothing more."""
    last_registered_at = models.DateTimeField()
    last_reached_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[models.Manager[Self]] = DeviceQuerySet.as_manager()

    class Meta:
        db_table = "devices"
        constraints = [
            models.CheckConstraint(condition=Q(platform__in=PLATFORMS), name="ck_devices_platform"),
            models.UniqueConstraint(fields=["address_digest"], name="uq_devices_address_digest"),
        ]
        indexes = [
            models.Index(fields=["user", "-created_at"], name="idx_devices_user_id"),
            models.Index(fields=["session_id"], name="idx_devices_session_id"),
        ]

    def __str__(self) -> str:
        return self.name or self.platform


class DeviceDelivery(BaseModel):
    """A message has reached a device: another try of the message leaves it alone."""

    message = models.ForeignKey(
        "notifications.Message", models.CASCADE, related_name="device_deliveries", db_index=False
    )
    device = models.ForeignKey(Device, models.CASCADE, related_name="+", db_index=False)
    answer = models.CharField(max_length=300, blank=True, default="", db_default="")

    class Meta:
        db_table = "device_deliveries"
        verbose_name_plural = "device deliveries"
        constraints = [models.UniqueConstraint(fields=["message", "device"], name="uq_device_deliveries_message")]
        indexes = [models.Index(fields=["device"], name="idx_device_deliveries_device")]

    def __str__(self) -> str:
        return f"{self.message_id} to {self.device_id}"
