"""Confirming with a passkey that it is oneself."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import Session, User
from accounts.tests.answers import INVALID_CREDENTIALS, NOT_FOUND, ClientOf, bearer, error_of
from accounts.tests.authenticator import Authenticator
from accounts.tests.passkeys import JSON, OPTIONS, late_client_of, login_options, passkey_of
from core.models import Event

pytestmark = pytest.mark.django_db

REAUTHENTICATE = "/api/v1/auth/reauthenticate"


@pytest.fixture(autouse=True)
def _no_limits(settings: Any) -> None:
    settings.RATE_LIMIT_SCALE = 1000


def begin(client: Client) -> dict[str, Any]:
    options: dict[str, Any] = client.post(f"{REAUTHENTICATE}/options", {}, JSON).json()["data"]["options"]
    return options


def confirm(client: Client, credential: dict[str, Any]) -> Any:
    return client.post(REAUTHENTICATE, {"credential": credential}, JSON)


def test_a_passkey_renews_the_sign_in_and_the_session_has_two_factors(owner: User, anonymous: Client) -> None:
    authenticator = passkey_of(owner)
    late = late_client_of(owner)
    assert late.post(OPTIONS, {}, JSON).status_code == 403

    answer = confirm(late, authenticator.get(begin(late)))

    token = answer.json()["data"]["access_token"]
    session = Session.objects.latest("created_at")
    assert answer.status_code == 200
    assert session.amr == ["pwd", "hwk", "user", "mfa"]
    assert datetime.now(UTC) - session.authenticated_at < timedelta(minutes=1)
    assert anonymous.post(OPTIONS, headers=bearer(token)).status_code == 200


def test_options_serve_the_session_they_were_given_to_once(owner: User, client_of: ClientOf) -> None:
    authenticator = passkey_of(owner)
    here, elsewhere = client_of(owner), client_of(owner)
    credential = authenticator.get(begin(here))

    answers = [confirm(client, credential) for client in (elsewhere, here, here)]

    assert [answer.status_code for answer in answers] == [401, 200, 401]


def test_neither_another_s_passkey_nor_options_of_a_sign_in_serve(
    owner: User, stranger: User, client_of: ClientOf, anonymous: Client
) -> None:
    mine, theirs = passkey_of(owner), passkey_of(stranger)
    client = client_of(owner)
    before = Session.objects.latest("created_at").authenticated_at

    answers = [confirm(client, theirs.get(begin(client))), confirm(client, mine.get(login_options(anonymous)))]

    assert [error_of(answer) for answer in answers] == [INVALID_CREDENTIALS] * 2
    assert Session.objects.latest("created_at").authenticated_at == before
    assert Event.objects.filter(type="mfa.failed").count() == 2


def test_a_copy_of_the_key_is_told_of(owner: User, client_of: ClientOf) -> None:
    authenticator: Authenticator = passkey_of(owner, sign_count=3)
    client = client_of(owner)

    assert error_of(confirm(client, authenticator.get(begin(client)))) == INVALID_CREDENTIALS
    assert Event.objects.filter(type="passkey.copy_suspected").count() == 1


def test_without_a_passkey_there_is_nothing_to_sign(owner: User, client_of: ClientOf) -> None:
    assert error_of(client_of(owner).post(f"{REAUTHENTICATE}/options")) == NOT_FOUND
