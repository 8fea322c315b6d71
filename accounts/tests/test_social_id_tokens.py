"""What a provider says of itself and of somebody: every line of its configuration, keys and ID token is checked."""

import time
from typing import Any

import pytest
from django.test import Client

from accounts.models import Connection, Session, SocialFlow, User
from accounts.tests.answers import error_of, invalid
from accounts.tests.oidc_provider.process import ProviderProcess
from accounts.tests.social import PEOPLE, authorize, come_back, go, sign_in_with
from core.cache import cached, forget

pytestmark = pytest.mark.django_db

UNTRUSTED = invalid((None, "untrusted_identity", "The provider's answer could not be trusted; start again."))


def nothing_came_of_it() -> bool:
    """Return whether nobody was signed in, made or connected."""
    return not (Session.objects.exists() or Connection.objects.exists() or User.objects.exists())


# The ID token


SINS: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://evil.example"},
    "no issuer": {"iss": None},
    "another audience": {"aud": "somebody-else"},
    "another audience, though we are the party": {"aud": "somebody-else", "azp": "nook"},
    "many audiences, no party": {"aud": ["nook", "somebody-else"]},
    "another party": {"aud": ["nook", "somebody-else"], "azp": "somebody-else"},
    "no audience": {"aud": None},
    "another nonce": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "another access token": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
    "an odd at_hash": {"at_hash": 7},
    "expired": {"exp": int(time.time()) - 120},
    "no end": {"exp": None},
    "an odd end": {"exp": "tomorrow"},
    "issued tomorrow": {"iat": int(time.time()) + 86400},
    "not yet": {"nbf": int(time.time()) + 86400},
    "no subject": {"sub": None},
    "an empty subject": {"sub": ""},
    "a number for a subject": {"sub": 7},
    "a long subject": {"sub": "x" * 256},
    "a subject of two lines": {"sub": "a\nb"},
}


@pytest.mark.parametrize("claims", SINS.values(), ids=SINS)
def test_an_id_token_that_says_something_else_is_refused(
    provider: ProviderProcess, anonymous: Client, claims: dict[str, Any]
) -> None:
    provider.behave(people=PEOPLE, claims=claims)

    assert error_of(sign_in_with(provider, anonymous, "nina")) == UNTRUSTED
    assert nothing_came_of_it()


@pytest.mark.parametrize("signature", ["none", "hmac", "stranger"])
def test_an_id_token_that_the_provider_did_not_sign_is_refused(
    provider: ProviderProcess, anonymous: Client, signature: str
) -> None:
    provider.behave(people=PEOPLE, signature=signature)

    assert error_of(sign_in_with(provider, anonymous, "nina")) == UNTRUSTED
    assert nothing_came_of_it()


def test_several_audiences_are_well_when_we_are_the_party(provider: ProviderProcess, anonymous: Client) -> None:
    provider.behave(people=PEOPLE, claims={"aud": ["nook", "somebody-else"], "azp": "nook"})

    assert sign_in_with(provider, anonymous, "nina").status_code == 200


# The issuer in the answer (RFC 9207)


def test_where_the_provider_names_itself_it_has_to_be_right(provider: ProviderProcess, anonymous: Client) -> None:
    provider.behave(people=PEOPLE, announces_issuer=True)
    given = [go(provider, anonymous, "nina") for _ in range(3)]
    assert given[0]["iss"] == f"{provider.base}/oidc"

    assert error_of(come_back(anonymous, given[0] | {"iss": "https://evil.example"})) == UNTRUSTED
    without = {name: value for name, value in given[1].items() if name != "iss"}
    assert error_of(come_back(anonymous, without)) == UNTRUSTED
    assert nothing_came_of_it()
    assert come_back(anonymous, given[2]).status_code == 200


def test_a_wrong_issuer_is_refused_though_the_provider_announced_none(
    provider: ProviderProcess, anonymous: Client
) -> None:
    given = go(provider, anonymous, "nina")

    assert error_of(come_back(anonymous, given | {"iss": "https://evil.example"})) == UNTRUSTED
    assert nothing_came_of_it()


# What is kept of the provider


def test_configuration_and_keys_are_asked_for_once(provider: ProviderProcess, anonymous: Client) -> None:
    for _ in range(3):
        assert sign_in_with(provider, anonymous, "nina").status_code == 200

    assert sorted(provider.seen()) == ["configuration", "keys", "token", "token", "token"]


def test_a_new_key_is_fetched_but_not_twice_within_a_minute(provider: ProviderProcess, anonymous: Client) -> None:
    sign_in_with(provider, anonymous, "nina")
    provider.rotate()

    assert error_of(sign_in_with(provider, anonymous, "nina")) == UNTRUSTED
    assert provider.seen().count("keys") == 1

    make_older(f"keys:{provider.base}/oidc/keys", seconds=61)
    assert sign_in_with(provider, anonymous, "nina").status_code == 200
    assert provider.seen().count("keys") == 2


def make_older(key: str, *, seconds: int) -> None:
    """Let the kept keys have been fetched so long ago."""
    kept = cached("providers", key, dict)
    forget("providers", key)
    cached("providers", key, lambda: kept | {"fetched_at": kept["fetched_at"] - seconds})


@pytest.mark.parametrize(
    "configuration",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"token_endpoint": "ftp://localhost/token"},
        {"jwks_uri": None},
        {"authorization_endpoint": 7},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
)
def test_a_configuration_that_is_not_the_issuer_s_is_not_used(
    provider: ProviderProcess, anonymous: Client, configuration: dict[str, Any]
) -> None:
    provider.behave(people=PEOPLE, configuration=configuration)

    assert authorize(anonymous).status_code == 503
    assert not SocialFlow.objects.exists()


@pytest.mark.parametrize("endpoint", ["token_endpoint", "jwks_uri", "userinfo_endpoint"])
def test_a_configuration_cannot_send_us_into_our_own_network(
    provider: ProviderProcess, anonymous: Client, endpoint: str
) -> None:
    """The provider's word is a stranger's: every address it names passes the guard of outbound requests."""
    provider.behave(
        people=PEOPLE,
        claims={"email": None},
        configuration={endpoint: f"http://127.0.0.1:{provider.port}/oidc/{endpoint}"},
    )

    assert sign_in_with(provider, anonymous, "nina").status_code == 503
    assert nothing_came_of_it()
