"""The channel `push`: one message to all of a person's devices, each of which it reaches once.

Each provider is a lane of its own: one that hangs is waited for beside the others' devices, of this person and of
everybody else. Its device is tried again once that wait is over, unless the answer has come by then.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import orjson
from django.conf import settings
from django.db import transaction
from django.db.models import Case, Exists, F, OuterRef, TextField, When
from django.db.models.functions import Cast, Now

from core import beside
from core.crypto import DecryptionFailed
from notifications.channels import Channel, DeliveryFailed, Fence, Outgoing, register_channel
from notifications.channels.push import MAX_TEXT, DeviceGone, Notice, apns, fcm, web
from notifications.kinds import KINDS
from notifications.models import PUSH, Message
from notifications.models.devices import APNS, FCM, WEB, Device, DeviceDelivery
from notifications.services.devices import remove_gone_device

_MAX_TITLE: Final = 600
_PUSH_SERVICES: Final = ("fcm.googleapis.com", "push.services.mozilla.com", "notify.windows.com", "push.apple.com")


def send(outgoing: Outgoing, *, fence: Fence) -> str:
    """Hand the message to each device that it has not reached, and return the answers; raises `DeliveryFailed`.

    A device that is gone is removed. What one device's provider refuses for now is tried again, for that device alone.
    """
    message = Message.objects.get(message_id=outgoing.message_id)
    notice = _notice(message, outgoing)
    answers: list[str] = []
    failures: list[DeliveryFailed] = []
    for device in list(_not_reached(message)):
        fence()
        try:
            answers.append(f"{device.platform}: {_reach_in_its_lane(device, message, notice)}")
        except DeliveryFailed as failure:
            failures.append(failure)
    if failures:
        raise _summed_up(failures)
    return "; ".join(answers) or "no device is left to reach"


def reachable_user() -> Any:
    """Return where a user is reached by push, as an expression over users: their id, when they have a device."""
    has_device = Exists(Device.objects.filter(user_id=OuterRef("pk")))
    return Case(When(has_device, then=Cast(F("pk"), TextField())))


def _not_reached(message: Message) -> Iterator[Device]:
    """Yield the devices that this message has still to reach."""
    reached = DeviceDelivery.objects.filter(message=message, device=OuterRef("pk"))
    yield from Device.objects.filter(~Exists(reached), user_id=UUID(message.address)).order_by("created_at", "pk")


def _reach_in_its_lane(device: Device, message: Message, notice: Notice) -> str:
    if message.attempts_left == 0:
        # Whoever runs the last attempt has to hear what came of it.
        return _reach(device, message, notice)
    lane = _lane_of(device)
    if not beside.has_room(lane):
        raise DeliveryFailed("too many wait for an answer", permanent=False)
    try:
        return beside.run(lane, lambda: _reach(device, message, notice))
    except beside.LeftBehind:
        answer = "waited for beside other work"
        raise DeliveryFailed(answer, permanent=False, retry_after=_end_of_wait()) from None


def _lane_of(device: Device) -> str:
    """Return the lane: the provider; of browsers the push service, where it is a known one. Others share a lane, for
    who names an address of their own shall not have a lane for each."""
    if device.platform != WEB:
        return f"push:{device.platform}"
    host = urlsplit(device.address["endpoint"]).hostname or ""
    known = (name for name in _PUSH_SERVICES if host == name or host.endswith(f".{name}"))
    return f"push:web:{next(known, 'others')}"


def _end_of_wait() -> timedelta:
    """Return when a request that is left behind is over for sure: its turn at the token, the token, and itself."""
    return timedelta(seconds=3 * _longest_request() + 1)


def _reach(device: Device, message: Message, notice: Notice) -> str:
    try:
        answer = _SENDERS[device.platform](notice, device.address)
    except DecryptionFailed as error:
        raise DeliveryFailed(f"cannot be read: {error}", permanent=False) from error
    except DeviceGone as gone:
        remove_gone_device(device.pk, gone.answer)
        return f"gone ({gone.answer})"
    with transaction.atomic():
        if Device.objects.filter(pk=device.pk).update(last_reached_at=Now()):
            DeviceDelivery.objects.create(message=message, device=device, answer=answer[:300].replace("\0", ""))
    return answer


def _notice(message: Message, outgoing: Outgoing) -> Notice:
    kind = KINDS[message.kind]
    about = {"kind": message.kind, "notification_id": str(message.notification_id or "")}
    if message.notification is not None and message.notification.subject_id:
        about |= {
            "subject_type": message.notification.subject_type,
            "subject_id": message.notification.subject_id,
        }
    title, text = _fitting(outgoing.subject, _MAX_TITLE), _fitting(outgoing.text.strip(), MAX_TEXT)
    return Notice(message.id, title, text, about, is_urgent=kind.is_security)


def _fitting(text: str, most: int) -> str:
    """Return as much of the text as has at most so many bytes as JSON: quotes and other scripts take several."""
    shown = text[:most]
    while len(orjson.dumps(shown)) > most:
        shown = shown[: len(shown) * 9 // 10]
    return shown


def _summed_up(failures: list[DeliveryFailed]) -> DeliveryFailed:
    """Return one failure for all devices: worth another try as long as one of them is."""
    open_ones = [failure for failure in failures if not failure.permanent]
    pauses = [failure.retry_after for failure in open_ones if failure.retry_after is not None]
    answer = "; ".join(failure.answer for failure in failures)
    return DeliveryFailed(answer, permanent=not open_ones, retry_after=max(pauses, default=None))


_SENDERS: Final[dict[str, Callable[[Notice, dict[str, str]], str]]] = {
    WEB: lambda notice, address: web.send(notice, web.Subscription(**address)),
    FCM: lambda notice, address: fcm.send(notice, address["token"]),
    APNS: lambda notice, address: apns.send(notice, address["token"]),
}


def _longest_request() -> float:
    return float(settings.PUSH_TIMEOUT_SECONDS)


register_channel(
    Channel(PUSH, "Push", send, address=reachable_user, shows_inbox_text=True, timeout=_longest_request),
)
