"""In the second in which a process may still take an ended session for a live one, nothing is done that outlasts it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from accounts.identity import forget_everyone
from accounts.models import ApiToken, Connection, Passkey, Session, TotpDevice, User
from accounts.tests.answers import SESSION_REVOKED, ClientOf, error_of, tables
from accounts.tests.authenticator import Authenticator
from accounts.tests.mfa import give_phone
from accounts.tests.oidc_provider.process import ProviderProcess
from accounts.tests.passkeys import OPTIONS, PASSKEYS
from accounts.tests.social import come_back, go
from core.models import Job

AUTH = "/api/v1/auth"
LASTING: list[tuple[str, str, dict[str, Any]]] = [
    ("post", f"{AUTH}/change-email", {"email": "thief@example.com"}),
    ("post", f"{AUTH}/api-tokens", {"name": "Thief", "scopes": ["read:resource"]}),
    ("post", f"{AUTH}/mfa/totp", {}),
    ("post", f"{AUTH}/mfa/recovery-codes", {}),
    ("delete", f"{AUTH}/mfa/totp", {}),
    ("post", "/api/v1/profile/export", {}),
    ("patch", "/api/v1/profile", {"phone": None}),
    ("delete", "/api/v1/profile", {}),
]


@pytest.fixture(autouse=True)
def a_long_second(db: None, settings: Any) -> Iterator[None]:
    """A process that goes on taking what it knows for true."""
    settings.AUTHENTICATION_SNAPSHOT_SECONDS = 3600
    yield
    forget_everyone()


def end_elsewhere(person: User) -> None:
    """End every session as another process does: this one hears nothing of it."""
    Session.objects.filter(user=person).update(revoked_at=datetime.now(UTC))


@pytest.mark.parametrize(("method", "path", "body"), LASTING, ids=lambda part: str(part))
def test_what_would_outlast_the_session_is_refused(
    owner: User, client_of: ClientOf, method: str, path: str, body: dict[str, Any]
) -> None:
    give_phone(owner)
    User.objects.filter(pk=owner.pk).update(phone="+436641234567")
    client = client_of(owner)
    assert client.get("/api/v1/users/me").status_code == 200
    end_elsewhere(owner)
    before = tables()

    answer = getattr(client, method)(path, body)

    assert client.get("/api/v1/users/me").status_code == 200
    assert error_of(answer) == SESSION_REVOKED
    assert tables() == before
    assert (ApiToken.objects.count(), Job.objects.count(), TotpDevice.objects.count()) == (0, 0, 1)


def test_a_passkey_is_not_added(owner: User, client_of: ClientOf) -> None:
    client, authenticator = client_of(owner), Authenticator()
    options = client.post(OPTIONS, {}).json()["data"]["options"]
    end_elsewhere(owner)

    answer = client.post(PASSKEYS, {"credential": authenticator.create(options)})

    assert error_of(answer) == SESSION_REVOKED
    assert Passkey.objects.count() == 0


def test_a_provider_is_not_connected(provider: ProviderProcess, owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)
    given = go(provider, client, "nina")
    end_elsewhere(owner)

    assert error_of(come_back(client, given)) == SESSION_REVOKED
    assert Connection.objects.count() == 0
