"""Firebase Cloud Messaging, HTTP v1: a service account's token, then one request for each device."""

import os
import threading
import time
from typing import Any, Final

import jwt
import orjson
from django.conf import settings

from core.breaker import CircuitOpen
from core.http_client import RequestFailed, Response, request
from notifications.channels import DeliveryFailed
from notifications.channels.push import KEPT_FOR, DeviceGone, Notice, refused, told, unreachable

_SCOPE: Final = "https://www.googleapis.com/auth/firebase.messaging"
_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_TOKEN_SECONDS: Final = 3600
_EARLIER: Final = 60.0
_GONE: Final = frozenset({"UNREGISTERED", "SENDER_ID_MISMATCH"})


def is_configured() -> bool:
    """Return whether there is a service account."""
    return bool(settings.FCM_SERVICE_ACCOUNT)


def send(notice: Notice, token: str) -> str:
    """Hand the notice over for one registration token; raises `DeviceGone` and `DeliveryFailed`."""
    if not is_configured():
        raise DeliveryFailed("no service account for FCM is configured (FCM_SERVICE_ACCOUNT)", permanent=True)
    account: dict[str, str] = orjson.loads(settings.FCM_SERVICE_ACCOUNT)
    url = f"{settings.FCM_URL}/v1/projects/{account['project_id']}/messages:send"
    try:
        headers = {"Authorization": f"Bearer {_tokens.of(account)}"}
        response = request(
            "POST",
            url,
            json={"message": _message(notice, token)},
            headers=headers,
            timeout=settings.PUSH_TIMEOUT_SECONDS,
        )
    except (RequestFailed, CircuitOpen) as error:
        unreachable(error)
    return _accepted(response)


def _message(notice: Notice, token: str) -> dict[str, Any]:
    seconds = f"{int(KEPT_FOR.total_seconds())}s"
    return {
        "token": token,
        "notification": {"title": notice.title, "body": notice.text},
        "data": dict(notice.data),
        "android": {
            "collapse_key": str(notice.id),
            "priority": "HIGH" if notice.is_urgent else "NORMAL",
            "ttl": seconds,
            # A second try shows in the place of the first.
            "notification": {"tag": str(notice.id)},
        },
    }


def _accepted(response: Response) -> str:
    body = told(response)
    if response.ok:
        return f"{response.status} {body.get('name', '')}".strip()
    error = body.get("error") if isinstance(body.get("error"), dict) else {}
    code = _error_code(error or {})
    answer = f"{response.status} {code} {(error or {}).get('message', '')}".strip()
    if code in _GONE or _is_about_the_token(response, error or {}):
        raise DeviceGone(answer)
    if response.status == 401:
        _tokens.forget()
    raise refused(answer, response, is_final=response.status == 400)


def _error_code(error: dict[str, Any]) -> str:
    details = [detail for detail in error.get("details") or () if isinstance(detail, dict)]
    codes = [str(detail["errorCode"]) for detail in details if "errorCode" in detail]
    return codes[0] if codes else str(error.get("status", ""))


def _is_about_the_token(response: Response, error: dict[str, Any]) -> bool:
    """Return whether a 400 says that the registration token is none; any other 400 is our fault, not the device's."""
    details = [detail for detail in error.get("details") or () if isinstance(detail, dict)]
    violations = [one for detail in details for one in detail.get("fieldViolations") or () if isinstance(one, dict)]
    return response.status == 400 and any(one.get("field") == "message.token" for one in violations)


class _Tokens:
    """The access token of the service account, kept by this process until shortly before its end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: tuple[int, str, str, float] = (0, "", "", 0.0)

    def of(self, account: dict[str, str]) -> str:
        """Return a token that holds; raises `RequestFailed` and `DeliveryFailed`."""
        # One asks, and others wait for it: no longer than it may take, for their own request follows.
        if not self._lock.acquire(timeout=settings.PUSH_TIMEOUT_SECONDS):
            raise DeliveryFailed("no access token: it is being waited for", permanent=False)
        try:
            process, owner, token, until = self._kept
            if (process, owner) == (os.getpid(), account["client_email"]) and time.monotonic() < until:
                return token
            token, seconds = _asked_for(account)
            self._kept = (os.getpid(), account["client_email"], token, time.monotonic() + seconds - _EARLIER)
            return token
        finally:
            self._lock.release()

    def forget(self) -> None:
        """Ask anew the next time."""
        with self._lock:
            self._kept = (0, "", "", 0.0)


_tokens: Final = _Tokens()


def _asked_for(account: dict[str, str]) -> tuple[str, float]:
    """Return a new access token and for how many seconds it holds (RFC 7523)."""
    now = int(time.time())
    claims = {
        "iss": account["client_email"],
        "scope": _SCOPE,
        "aud": account["token_uri"],
        "iat": now,
        "exp": now + _TOKEN_SECONDS,
    }
    assertion = jwt.encode(claims, account["private_key"], algorithm="RS256")
    body = f"grant_type={_GRANT.replace(':', '%3A')}&assertion={assertion}".encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    response = request("POST", account["token_uri"], data=body, headers=headers, timeout=settings.PUSH_TIMEOUT_SECONDS)
    answer = told(response)
    if not response.ok or not isinstance(answer.get("access_token"), str):
        raise DeliveryFailed(f"no access token: {response.status} {answer.get('error', '')}", permanent=False)
    return answer["access_token"], float(answer.get("expires_in", _TOKEN_SECONDS))
