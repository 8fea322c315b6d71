"""Devices that take push notices: registered, removed, forgotten when their provider says they are gone."""

import re
from collections.abc import Mapping
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from core.crypto import token_digest
from core.errors import ActingOnBehalf, Conflict, NotFound, ValidationFailed
from core.events import publish
from core.http_targets import AddressRefused, refuse_address
from core.locks import NamedLock
from core.permissions import SYSTEM, Caller
from core.transactions import atomic
from notifications.channels.push import apns, fcm, web
from notifications.models.devices import APNS, FCM, WEB, Device

MAX_DEVICES: Final = 20
"""How many devices a person may have."""

_CONFIGURED: Final = {WEB: web.is_configured, FCM: fcm.is_configured, APNS: apns.is_configured}
_REGISTERING: Final = NamedLock("devices")
_APPLE_TOKEN: Final = re.compile(r"[0-9a-fA-F]{32,200}")
_FIREBASE_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,4096}")


@atomic
def register_device(*, actor: Caller, platform: str, address: Mapping[str, str], name: str = "") -> tuple[Device, bool]:
    """Register the device for the actor, or again; return it, and whether it is new.

    A device that was another person's becomes the actor's: one browser or app tells one person. Raises
    `ValidationFailed` for an address that is none, `Conflict` when the actor has as many devices as one may.
    """
    if actor.impersonated_by is not None:
        raise ActingOnBehalf
    _refuse_bad_address(platform, address)
    # So that the count holds when two are registered at once.
    _REGISTERING.hold(of=actor.own_id)
    digest = token_digest(address.get("endpoint") or address["token"])
    _forget_of_others(digest, actor)
    device = Device.objects.select_for_update(no_key=True).filter(address_digest=digest).first()
    is_new = device is None
    if device is None:
        _refuse_too_many(actor)
        device = Device(user_id=actor.own_id, address_digest=digest)
    device.platform, device.address, device.name = platform, dict(address), name
    device.session_id = actor.session_id
    device.last_registered_at = timezone.now()
    device.save(force_insert=is_new)
    device.refresh_from_db(fields=["created_at", "updated_at"])
    if is_new:
        publish("device.created", subject=device, actor=actor, data={"platform": platform}, audience=[actor.own_id])
    return device, is_new


@atomic
def remove_device(*, actor: Caller, device_id: UUID) -> None:
    """Remove one of the actor's devices; raises `NotFound`."""
    device = Device.objects.visible_to(actor).select_for_update().filter(pk=device_id).first()
    if device is None:
        raise NotFound
    _remove(device, actor, reason="removed by its owner")


@atomic
def remove_devices_of_session(session_id: UUID) -> int:
    """Remove what a session registered that has ended; return how many."""
    return _remove_all(Device.objects.filter(session_id=session_id), SYSTEM, reason="its session ended")


@atomic
def remove_gone_device(device_id: UUID, answer: str) -> None:
    """Remove a device that its provider says nothing will ever arrive at."""
    _remove_all(Device.objects.filter(pk=device_id), SYSTEM, reason=f"gone: {answer[:200]}")


@atomic
def remove_devices(*, device_ids: list[UUID], actor: Caller) -> int:
    """Remove devices, for staff; return how many there were."""
    return _remove_all(Device.objects.filter(pk__in=device_ids), actor, reason="removed by staff")


def _remove_all(devices: QuerySet[Device], actor: Caller, *, reason: str) -> int:
    rows = list(devices.select_for_update().order_by("pk"))
    for device in rows:
        _remove(device, actor, reason=reason)
    return len(rows)


def _remove(device: Device, actor: Caller, *, reason: str) -> None:
    data = {"platform": device.platform, "reason": reason}
    publish("device.removed", subject=device, actor=actor, data=data, audience=[device.user_id])
    device.delete()


def _refuse_bad_address(platform: str, address: Mapping[str, str]) -> None:
    if not _CONFIGURED[platform]():
        raise ValidationFailed.of("platform", "not_configured", "This server sends no push notices there.")
    if platform == WEB:
        _refuse_bad_subscription(address)
    elif not (_APPLE_TOKEN if platform == APNS else _FIREBASE_TOKEN).fullmatch(address["token"]):
        raise ValidationFailed.of("token", "invalid", "This is not a device token.")


def _refuse_bad_subscription(address: Mapping[str, str]) -> None:
    try:
        refuse_address(address["endpoint"], allowed_hosts=settings.PUSH_ALLOWED_HOSTS)
    except AddressRefused as refusal:
        raise ValidationFailed.of("subscription.endpoint", "invalid", str(refusal)) from None
    try:
        web.read_keys(address["p256dh"], address["auth"])
    except ValueError:
        message = "These are not the keys of a subscription."
        raise ValidationFailed.of("subscription.keys", "invalid", message) from None


def _forget_of_others(digest: bytes, actor: Caller) -> None:
    others = Device.objects.filter(address_digest=digest).exclude(user_id=actor.own_id)
    _remove_all(others, actor, reason="somebody else signed in on it")


def _refuse_too_many(actor: Caller) -> None:
    if Device.objects.visible_to(actor).count() >= MAX_DEVICES:
        raise Conflict(f"A person may have {MAX_DEVICES} devices; remove one first.")


def is_awaited(_type: str) -> bool:
    """Return whether the end of a session may be the end of a device."""
    return Device.objects.filter(session_id__isnull=False).exists()
