"""What the tests of passkeys do: add one in a session, and sign in with it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.test import Client

from accounts.models import Passkey, Session, User
from accounts.tests.answers import bearer, invalid
from accounts.tests.authenticator import Authenticator
from accounts.tests.factories import access_token_of, create_session
from core.models import Event, OutboxRow
from notifications.models import Message

JSON = "application/json"
PASSKEYS = "/api/v1/auth/mfa/passkeys"
OPTIONS = f"{PASSKEYS}/options"
LOGIN = "/api/v1/auth/passkeys/login"
LOGIN_OPTIONS = f"{LOGIN}/options"
INVALID_CREDENTIAL = invalid(
    ("credential", "invalid_credential", "This passkey could not be added; begin again and use it on this site.")
)


def passkey_state() -> list[Any]:
    """Return what a refusal must not change."""
    return [
        list(Passkey.objects.order_by("pk").values()),
        list(Session.objects.order_by("pk").values("pk", "revoked_at")),
        Event.objects.count(),
        OutboxRow.objects.count(),
        Message.objects.count(),
    ]


def options_of(client: Client) -> dict[str, Any]:
    answer = client.post(OPTIONS, {}, JSON)
    assert answer.status_code == 200, answer.content
    options: dict[str, Any] = answer.json()["data"]["options"]
    return options


def add_passkey(client: Client, authenticator: Authenticator, **more: Any) -> Any:
    """Register the authenticator in the client's session; return the answer."""
    return client.post(PASSKEYS, {"credential": authenticator.create(options_of(client)), **more}, JSON)


def late_client_of(owner: User) -> Client:
    """Return a client whose sign-in is eleven minutes old."""
    session = create_session(owner, authenticated_at=datetime.now(UTC) - timedelta(minutes=11))
    return Client(headers=bearer(access_token_of(session)))


def passkey_of(user: User, **what: Any) -> Authenticator:
    """Return an authenticator whose passkey the user has registered."""
    authenticator = Authenticator(**what)
    answer = add_passkey(Client(headers=bearer(access_token_of(create_session(user)))), authenticator)
    assert answer.status_code == 201, answer.content
    return authenticator


def login_options(client: Client) -> dict[str, Any]:
    options: dict[str, Any] = client.post(LOGIN_OPTIONS, {}, JSON).json()["data"]["options"]
    return options


def sign_in_by(client: Client, authenticator: Authenticator, **more: Any) -> Any:
    """Sign in with the passkey alone; return the answer."""
    return client.post(LOGIN, {"credential": authenticator.get(login_options(client)), **more}, JSON)
