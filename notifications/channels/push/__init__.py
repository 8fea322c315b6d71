"""Push: to browsers (Web Push), to Android and others (FCM), to Apple's devices (APNs).

Each way is a function that hands one notice to one device. It returns what the provider answered, and raises
`DeviceGone` when the device can never be reached again, `DeliveryFailed` for any other no.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final, NoReturn
from uuid import UUID

from core.breaker import CircuitOpen
from core.http_client import AddressRefused, RequestFailed, Response, retry_after_of
from notifications.channels import DeliveryFailed, ServerDown

KEPT_FOR: Final = timedelta(days=1)
"""How long a provider keeps a notice for a device that is off."""

MAX_TEXT: Final = 2_500
"""How many bytes of a text go along, as JSON: providers take 4,096 for the whole. The rest stands in the inbox."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What a device shows; `id` is the same on every try, and `data` is what the app gets along."""

    id: UUID
    title: str
    text: str
    data: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    is_urgent: bool = False


class DeviceGone(Exception):
    """The provider says that nothing will ever arrive at this token."""

    def __init__(self, answer: str) -> None:
        super().__init__(answer)
        self.answer = answer


def told(response: Response) -> dict[str, Any]:
    """Return the JSON object of an answer, an empty one where there is none."""
    try:
        body = response.json()
    except RequestFailed:
        return {}
    return body if isinstance(body, dict) else {}


def refused(answer: str, response: Response, *, is_final: bool) -> DeliveryFailed:
    """Return the provider's no, with the pause that it asks for."""
    seconds = retry_after_of(response)
    pause = None if seconds is None else timedelta(seconds=seconds)
    return DeliveryFailed(answer, permanent=is_final, retry_after=pause)


def unreachable(error: RequestFailed | CircuitOpen) -> NoReturn:
    """Raise what the delivery understands for a provider that did not answer."""
    if isinstance(error, CircuitOpen):
        raise DeliveryFailed(str(error), permanent=False) from error
    if isinstance(error, AddressRefused):
        raise DeliveryFailed(f"the provider's address: {error}", permanent=False) from error
    raise ServerDown(f"{type(error).__name__}: {error}") from error
