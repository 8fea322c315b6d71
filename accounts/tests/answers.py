"""What tests of accounts ask of answers and tables."""

from collections.abc import Callable
from typing import Any, TypeAlias

from django.test import Client

from accounts.models import Role, Session, SingleUseToken, SpentRefreshToken, User
from accounts.tests.factories import PASSWORD
from core.models import Event, OutboxRow
from notifications.models import Message

ClientOf: TypeAlias = Callable[[User], Client]
Tables: TypeAlias = dict[str, Any]


def error_of(response: Any) -> dict[str, Any]:
    """Return status and error of a refusal, without the id that differs each time."""
    body = response.json()
    assert body.keys() == {"success", "error"}
    assert body["success"] is False
    error = body["error"]
    assert error.pop("request_id") == response.headers["X-Request-ID"]
    return {"status": response.status_code, **error}


def refusal(status: int, code: str, message: str, *details: tuple[str | None, str, str]) -> dict[str, Any]:
    """Return what `error_of` gives for this refusal."""
    rows = [{"field": field, "code": detail, "message": text} for field, detail, text in details]
    return {"status": status, "code": code, "message": message, "details": rows}


def invalid(*details: tuple[str | None, str, str]) -> dict[str, Any]:
    """Return what `error_of` gives for invalid input."""
    return refusal(400, "VALIDATION_ERROR", "Invalid input data.", *details)


INVALID_CREDENTIALS = refusal(401, "INVALID_CREDENTIALS", "The e-mail address, password or code is wrong.")
INVALID_LINK = invalid(("token", "invalid_token", "This link is not valid any more; ask for a new one."))
SESSION_REVOKED = refusal(401, "SESSION_REVOKED", "This session has been ended.")
NOT_AUTHENTICATED = refusal(401, "NOT_AUTHENTICATED", "Sign in to do this.")
NOT_FOUND = refusal(404, "NOT_FOUND", "There is no such thing.")
PERMISSION_DENIED = refusal(403, "PERMISSION_DENIED", "You may not do this.")


def tables() -> Tables:
    """Return what a refusal must not change: users, roles, sessions, tokens, events, messages, promised work."""
    return {
        "users": list(User.all_objects.order_by("pk").values()),
        "roles": list(Role.objects.order_by("pk").values()),
        "sessions": list(Session.objects.order_by("pk").values()),
        "spent": SpentRefreshToken.objects.count(),
        "tokens": list(SingleUseToken.objects.order_by("pk").values()),
        "events": Event.objects.count(),
        "messages": Message.objects.count(),
        "outbox": OutboxRow.objects.count(),
    }


def sign_in(client: Client, email: str, password: str = PASSWORD, **more: Any) -> Any:
    """Return the answer to a sign-in."""
    return client.post("/api/v1/auth/login", {"email": email, "password": password, **more}, "application/json")


def tokens_of(client: Client, user: User) -> dict[str, Any]:
    """Sign the user in and return `data` of the answer."""
    answer = sign_in(client, user.email)
    assert answer.status_code == 200, answer.content
    data: dict[str, Any] = answer.json()["data"]
    return data


def bearer(access_token: str) -> dict[str, str]:
    """Return the headers that carry the token."""
    return {"Authorization": f"Bearer {access_token}"}


def kinds_sent_to(address: str) -> list[str]:
    """Return the kinds of the messages to this address, oldest first."""
    return list(Message.objects.filter(address=address).order_by("id").values_list("kind", flat=True))


def variables_of(message: Message) -> dict[str, str]:
    """Return what a message tells: its own words, or those of the notification that it is of."""
    told = message.context if message.notification is None else message.notification.context
    return dict(told or {})
