"""Apple Push Notification service: HTTP/2, and a provider token (ES256) that holds for less than an hour."""

import os
import threading
import time
from typing import Final

import jwt
import orjson
from django.conf import settings

from core.breaker import CircuitOpen
from core.http2_client import request
from core.http_client import RequestFailed, Response
from notifications.channels import DeliveryFailed
from notifications.channels.push import KEPT_FOR, DeviceGone, Notice, refused, told, unreachable

_TOKEN_SECONDS: Final = 2400.0
"""How long a provider token is used: Apple refuses one older than an hour, and a new one within 20 minutes."""

_GONE: Final = frozenset({"BadDeviceToken", "DeviceTokenNotForTopic", "Unregistered", "ExpiredToken"})
_STALE: Final = frozenset({"ExpiredProviderToken", "InvalidProviderToken"})


def is_configured() -> bool:
    """Return whether there is a key to sign with."""
    return bool(settings.APNS_KEY)


def send(notice: Notice, token: str) -> str:
    """Hand the notice over for one device token; raises `DeviceGone` and `DeliveryFailed`."""
    if not is_configured():
        raise DeliveryFailed("no key for APNs is configured (APNS_KEY)", permanent=True)
    headers = {
        "authorization": f"bearer {_tokens.current()}",
        "apns-topic": settings.APNS_TOPIC,
        "apns-push-type": "alert",
        "apns-id": str(notice.id),
        "apns-collapse-id": str(notice.id),
        "apns-priority": "10" if notice.is_urgent else "5",
        "apns-expiration": str(int(time.time() + KEPT_FOR.total_seconds())),
        "content-type": "application/json",
    }
    try:
        url = f"{settings.APNS_URL}/3/device/{token}"
        response = request("POST", url, data=_payload(notice), headers=headers, timeout=settings.PUSH_TIMEOUT_SECONDS)
    except (RequestFailed, CircuitOpen) as error:
        unreachable(error)
    return _accepted(response)


def _payload(notice: Notice) -> bytes:
    shown = {"alert": {"title": notice.title, "body": notice.text}, "sound": "default"}
    return orjson.dumps({"aps": shown, **notice.data})


def _accepted(response: Response) -> str:
    if response.ok:
        return f"{response.status} {response.headers.get('apns-id', '')}".strip()
    reason = str(told(response).get("reason", ""))
    answer = f"{response.status} {reason}".strip()
    if response.status == 410 or reason in _GONE:
        raise DeviceGone(answer)
    if reason in _STALE:
        _tokens.forget()
    is_final = response.status in {400, 404, 405, 413}
    raise refused(answer, response, is_final=is_final)


class _Tokens:
    """The provider token, kept by this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: tuple[int, str, str, float] = (0, "", "", 0.0)

    def current(self) -> str:
        """Return a provider token that holds (RFC 7519, ES256)."""
        with self._lock:
            process, key, token, until = self._kept
            if (process, key) == (os.getpid(), settings.APNS_KEY_ID) and time.monotonic() < until:
                return token
            claims = {"iss": settings.APNS_TEAM_ID, "iat": int(time.time())}
            token = jwt.encode(claims, settings.APNS_KEY, algorithm="ES256", headers={"kid": settings.APNS_KEY_ID})
            self._kept = (os.getpid(), settings.APNS_KEY_ID, token, time.monotonic() + _TOKEN_SECONDS)
            return token

    def forget(self) -> None:
        """Sign anew the next time."""
        with self._lock:
            self._kept = (0, "", "", 0.0)


_tokens: Final = _Tokens()
