"""Text messages over Twilio's HTTP API, which other providers speak too, or onto the console.

The provider has no way to tell a second request from the first one: when its answer is lost, the message may be sent
twice. What was refused because of the number or the text is final; anything else is tried again.
"""

import sys
from base64 import b64encode
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from django.conf import settings

from core.breaker import CircuitOpen
from core.http_client import AddressRefused, RequestFailed, Response, request, retry_after_of
from notifications.callback_links import callback_url, is_public_name
from notifications.channels import Channel, DeliveryFailed, Fence, Outgoing, ServerDown, register_channel
from notifications.models.inbound import TEXTS
from notifications.models.suppressions import BOUNCE, COMPLAINT

_PRINTED: Final = "printed on the console"
_NOT_THIS_MESSAGE: Final = frozenset({401, 403, 404, 408, 409, 425, 429})
"""Answers that are about our account, or about now: wrong credentials are mended, and the message then leaves."""

_FULL_QUEUE: Final = 21611
"""Twilio: too many messages wait for this sender already."""

_OPTED_OUT: Final = 21610
_NO_SUCH_NUMBER: Final = frozenset({21211, 21614, 30005, 30006})
"""Twilio: not a number, not a mobile one, unknown to its network, a landline."""

CALLBACK_FIELD: Final = "message"
"""Which parameter of the callback's address names the message: Twilio signs the address along with what it tells."""

ATTEMPT_FIELD: Final = "attempt"
"""Which one names the try, but for the first."""


@dataclass(frozen=True, slots=True)
class SmsProvider:
    """Where text messages go, as `settings.SMS` says it; without a scheme nowhere."""

    scheme: str = ""
    base_url: str = ""
    account: str = ""
    token: str = ""
    sender: str = ""
    messaging_service: str = ""
    timeout: float = 10.0


def is_configured() -> bool:
    """Return whether text messages go anywhere."""
    return bool(settings.SMS.get("scheme"))


def lists_as(error_code: object) -> str:
    """Return for which reason a number with this error is sent nothing more; empty where for none."""
    if error_code == _OPTED_OUT:
        return COMPLAINT
    return BOUNCE if error_code in _NO_SUCH_NUMBER else ""


def send(outgoing: Outgoing, *, fence: Fence) -> str:
    """Hand the text over and return what the provider answered; raises `DeliveryFailed`."""
    provider = SmsProvider(**settings.SMS)
    if not provider.scheme:
        raise DeliveryFailed("no provider of text messages is configured (SMS_URL)", permanent=True)
    fence()
    if provider.scheme == "console":
        return _print(outgoing)
    try:
        response = _ask(provider, outgoing)
    except CircuitOpen as circuit:
        raise DeliveryFailed(str(circuit), permanent=False) from circuit
    except AddressRefused as refusal:
        raise DeliveryFailed(f"the provider's address: {refusal}", permanent=False) from refusal
    except RequestFailed as failure:
        raise ServerDown(f"{type(failure).__name__}: {failure}") from failure
    return _accepted(response)


def _print(outgoing: Outgoing) -> str:
    """Print the text on the real standard output, past the log's redaction: this is how a developer gets it."""
    stream = sys.__stdout__ or sys.stdout
    stream.write(f"\n--- text message to {outgoing.address}\n{outgoing.text}--- end of text message\n")
    stream.flush()
    return _PRINTED


def _ask(provider: SmsProvider, outgoing: Outgoing) -> Response:
    sender = {"MessagingServiceSid": provider.messaging_service} if provider.messaging_service else {}
    fields = {"To": outgoing.address, "Body": outgoing.text.strip(), **(sender or {"From": provider.sender})}
    fields |= _callback(provider, outgoing)
    credentials = b64encode(f"{provider.account}:{provider.token}".encode()).decode()
    return request(
        "POST",
        f"{provider.base_url}/2010-04-01/Accounts/{quote(provider.account, safe='')}/Messages.json",
        data=urlencode(fields).encode(),
        headers={
            "Authorization": f"Basic {credentials}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        },
        timeout=provider.timeout,
    )


def _callback(provider: SmsProvider, outgoing: Outgoing) -> dict[str, str]:
    """Return where the provider tells what became of the message.

    Twilio refuses a message whose callback is at no name of the open internet (21609): a developer's texts go without.
    """
    named = {CALLBACK_FIELD: outgoing.message_id.strip("<>").partition("@")[0]}
    if outgoing.attempt > 1:
        named[ATTEMPT_FIELD] = str(outgoing.attempt)
    url = callback_url(TEXTS, urlencode(named))
    is_usable = is_public_name() or not (urlsplit(provider.base_url).hostname or "").endswith(".twilio.com")
    return {"StatusCallback": url} if url and is_usable else {}


def _accepted(response: Response) -> str:
    """Return the provider's yes with its id of the message; raises `DeliveryFailed` for its no."""
    told = _told(response)
    if response.ok:
        return f"{response.status} {told.get('status', 'accepted')} {told.get('sid', '')}".strip()
    code = told.get("code")
    answer = " ".join(str(part) for part in (response.status, code, told.get("message")) if part)
    is_final = 400 <= response.status < 500 and response.status not in _NOT_THIS_MESSAGE and code != _FULL_QUEUE
    raise DeliveryFailed(
        answer,
        permanent=is_final,
        retry_after=_pause_asked_for(response),
        lists_as=lists_as(code) if is_final else "",
    )


def _told(response: Response) -> dict[str, object]:
    try:
        told = response.json()
    except RequestFailed:
        return {}
    return told if isinstance(told, dict) else {}


def _pause_asked_for(response: Response) -> timedelta | None:
    seconds = retry_after_of(response)
    return None if seconds is None else timedelta(seconds=seconds)


def _timeout() -> float:
    return float(settings.SMS.get("timeout", 1))


register_channel(
    Channel("sms", "Text message", send, address_field="phone", proof_field="phone_verified", timeout=_timeout)
)
