"""What a flow with a provider is held to: the redirect, the state, the browser that set out, and PKCE."""

import base64
import hashlib
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from django.db.models.functions import Now
from django.test import Client
from pytest_django import Settings

from accounts.models import Connection, Session, SocialFlow, User
from accounts.services.social import purge_flows
from accounts.tests.answers import ClientOf, error_of, invalid, tables
from accounts.tests.oidc_provider.process import ProviderProcess
from accounts.tests.oidc_provider.server import CLIENT_SECRET
from accounts.tests.social import CALLBACK, Browser, authorize, come_back, cookies_of, go
from accounts.tests.test_secrets import everything_stored
from core.crypto import random_token

pytestmark = pytest.mark.django_db

INVALID_STATE = invalid(("state", "invalid_state", "This sign-in is over, was used, or began elsewhere; start again."))
INVALID_CODE = invalid(("code", "invalid_code", "Acme does not accept this code; start again."))
SECRET = "a-secret-that-an-app-keeps-for-itself-0123456789"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(SECRET.encode()).digest()).rstrip(b"=").decode()


def nothing_came_of_it() -> bool:
    """Return whether nobody was signed in, made or connected."""
    return not (Session.objects.exists() or Connection.objects.exists() or User.objects.exists())


# Where it leads back to


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "https://evil.example/oauth/callback",
        "https://app.example/oauth/callback/",
        "https://app.example/oauth/callback?next=/",
        "https://app.example/oauth/callback#x",
        "https://app.example/oauth/callbac",
        "https://app.example/oauth/callback/../../evil",
        "https://app.example:443/oauth/callback",
        "https://APP.example/oauth/callback",
        "https://app.example@evil.example/oauth/callback",
        "http://app.example/oauth/callback",
        "//app.example/oauth/callback",
        "javascript:alert(1)",
        "https://app.example/oauth/callback%00",
    ],
)
def test_only_an_address_of_the_list_is_returned_to(
    provider: ProviderProcess, anonymous: Client, redirect_uri: str
) -> None:
    answer = authorize(anonymous, redirect_uri=redirect_uri)

    message = "This address is not one to return to."
    assert error_of(answer) == invalid(("redirect_uri", "unknown_redirect_uri", message))
    assert not SocialFlow.objects.exists()
    assert not answer.cookies


# The state


def test_a_state_serves_once(provider: ProviderProcess, anonymous: Client) -> None:
    given = go(provider, anonymous, "nina")
    jar = cookies_of(anonymous)
    assert come_back(anonymous, given).status_code == 200
    anonymous.cookies = jar
    before = tables()

    assert error_of(come_back(anonymous, given)) == INVALID_STATE
    assert tables() == before


def test_a_state_is_spent_by_a_failure_too(provider: ProviderProcess, anonymous: Client) -> None:
    given = go(provider, anonymous, "nina")

    assert error_of(come_back(anonymous, given | {"code": "wrong"})) == INVALID_CODE
    assert error_of(come_back(anonymous, given)) == INVALID_STATE
    assert nothing_came_of_it()


def test_a_state_lasts_ten_minutes_and_is_purged_after(provider: ProviderProcess, anonymous: Client) -> None:
    given = go(provider, anonymous, "nina")
    flow = SocialFlow.objects.get()
    assert timedelta(minutes=9) < flow.expires_at - flow.created_at <= timedelta(minutes=10, seconds=1)
    SocialFlow.objects.update(expires_at=Now())

    assert error_of(come_back(anonymous, given)) == INVALID_STATE
    assert purge_flows() == 1
    assert nothing_came_of_it()


def test_a_state_is_of_one_provider(provider: ProviderProcess, anonymous: Client) -> None:
    given = go(provider, anonymous, "nina")

    assert error_of(come_back(anonymous, given, "microsoft")) == INVALID_STATE
    assert come_back(anonymous, given).status_code == 200


@pytest.mark.parametrize(
    "state",
    ["", "x", "nks_" + "a" * 49, random_token("nks"), random_token("nkb")],
    ids=["none", "junk", "wrong sum", "never given", "a browser's"],
)
def test_an_unknown_state_is_refused_without_asking_anyone(
    provider: ProviderProcess, anonymous: Client, state: str
) -> None:
    answer = come_back(anonymous, {"code": "c", "state": state})

    assert answer.status_code == 400
    assert provider.seen() == []


# The browser


def test_only_the_browser_that_set_out_comes_back(provider: ProviderProcess, anonymous: Client) -> None:
    given = go(provider, anonymous, "nina")
    [cookie] = anonymous.cookies.values()
    assert {name: cookie[name] for name in ("httponly", "secure", "samesite", "path", "max-age")} == {
        "httponly": True,
        "secure": True,
        "samesite": "Strict",
        "path": "/api/v1/auth/oauth",
        "max-age": 600,
    }

    assert error_of(come_back(Browser(), given)) == INVALID_STATE

    assert nothing_came_of_it()
    assert come_back(anonymous, given).status_code == 200


def test_the_cookie_of_another_flow_does_not_do(provider: ProviderProcess, anonymous: Client) -> None:
    victim = Browser()
    authorize(victim)
    given = go(provider, anonymous, "nina")
    [(own, _)] = anonymous.cookies.items()
    victim.cookies[own] = next(iter(victim.cookies.values())).value

    assert error_of(come_back(victim, given)) == INVALID_STATE
    assert nothing_came_of_it()


def test_two_tabs_do_not_meet(provider: ProviderProcess, anonymous: Client) -> None:
    first, second = go(provider, anonymous, "nina"), go(provider, anonymous, "olive")

    assert come_back(anonymous, first).json()["data"]["user"]["email"] == "nina@example.com"
    assert come_back(anonymous, second).json()["data"]["user"]["email"] == "owner@example.com"


def test_the_cookie_goes_with_the_flow(provider: ProviderProcess, anonymous: Client) -> None:
    given = go(provider, anonymous, "nina")
    [name] = anonymous.cookies

    assert come_back(anonymous, given).cookies[name]["max-age"] == 0


def test_an_app_without_cookies_keeps_a_secret_instead(provider: ProviderProcess, anonymous: Client) -> None:
    answer = authorize(anonymous, client_challenge=CHALLENGE)
    given = provider.visit(answer.json()["data"]["authorization_url"], "nina")
    assert not answer.cookies

    assert error_of(come_back(Browser(), given)) == INVALID_STATE
    assert error_of(come_back(Browser(), given, client_verifier=SECRET + "0")) == INVALID_STATE
    assert nothing_came_of_it()
    assert come_back(Browser(), given, client_verifier=SECRET).status_code == 200


@pytest.mark.parametrize("challenge", ["", "a" * 42, "a" * 44, "ä" * 43, "=" * 43, None, 1, ["a"]])
def test_a_challenge_has_one_form(provider: ProviderProcess, anonymous: Client, challenge: Any) -> None:
    answer = authorize(anonymous, client_challenge=challenge)

    assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (400, "client_challenge")
    assert not SocialFlow.objects.exists()


# The code


def test_a_code_of_another_flow_does_not_fit_the_verifier(provider: ProviderProcess, anonymous: Client) -> None:
    """A stolen code, put into the thief's own flow: PKCE is what refuses it (RFC 9700, 4.5)."""
    stolen, own = go(provider, Browser(), "olive"), go(provider, anonymous, "mallory")

    assert error_of(come_back(anonymous, own | {"code": stolen["code"]})) == INVALID_CODE
    assert nothing_came_of_it()


def test_the_secret_of_the_client_is_never_shown(
    provider: ProviderProcess, anonymous: Client, settings: Settings, capfd: Any
) -> None:
    given = go(provider, anonymous, "nina")
    settings.OAUTH_PROVIDERS = {
        "acme": settings.OAUTH_PROVIDERS["acme"] | {"client_secret": "a-canary-of-a-secret-0123456789"}
    }

    answer = come_back(anonymous, given)

    told = capfd.readouterr().err
    assert answer.status_code == 503
    assert "invalid_client" in told
    for secret in ("canary", given["code"], given["state"]):
        assert secret not in answer.content.decode() + told


def test_what_a_flow_keeps_secret_is_readable_nowhere(provider: ProviderProcess, anonymous: Client, capfd: Any) -> None:
    given = go(provider, anonymous, "nina")
    [cookie] = anonymous.cookies.values()
    flow = SocialFlow.objects.get()
    secrets = {**given, **flow.secrets, "cookie": cookie.value, "client secret": CLIENT_SECRET}
    stored = everything_stored()

    answer = come_back(anonymous, given)

    stored += everything_stored()
    logged = "".join(capfd.readouterr())
    assert answer.status_code == 200
    assert secrets.keys() == {"code", "state", "code_verifier", "nonce", "cookie", "client secret"}
    assert [name for name, secret in secrets.items() if secret in stored + logged + answer.content.decode()] == []
    assert f"/api/v1/auth/oauth/{flow.provider}/callback" in logged


def test_a_retry_with_a_key_gets_the_same_answer_and_signs_in_once(
    provider: ProviderProcess, anonymous: Client
) -> None:
    given = go(provider, anonymous, "nina")
    path, key = "/api/v1/auth/oauth/acme/callback", {"Idempotency-Key": "retry-1"}
    jar = cookies_of(anonymous)
    answers = [anonymous.post(path, given, headers=key)]
    anonymous.cookies = jar
    answers.append(anonymous.post(path, given, headers=key))

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].content == answers[1].content
    assert Session.objects.count() == 1


def test_tries_are_counted_like_every_sign_in(provider: ProviderProcess, anonymous: Client) -> None:
    path = "/api/v1/auth/oauth/acme/callback"
    statuses = [anonymous.post(path, {"code": "c", "state": random_token("nks")}).status_code for _ in range(11)]

    assert statuses == [400] * 10 + [429]


def test_what_a_stranger_may_write_is_bounded(provider: ProviderProcess, anonymous: Client) -> None:
    bodies: list[dict[str, Any]] = [
        {"code": "c" * 4097, "state": "s"},
        {"code": "c", "state": "s" * 201},
        {"code": "c", "state": "s", "iss": "i" * 2001},
        {"code": "c", "state": "s", "unknown": 1},
        {"state": "s"},
    ]
    for body in bodies:
        assert come_back(Browser(), body).json()["error"]["code"] == "VALIDATION_ERROR"


def test_the_parameters_of_the_address_are_encoded(provider: ProviderProcess, anonymous: Client) -> None:
    url = authorize(anonymous).json()["data"]["authorization_url"]

    assert urlencode({"redirect_uri": CALLBACK}) in urlsplit(url).query


def test_a_signed_in_callback_of_somebody_else_s_flow_is_refused(
    provider: ProviderProcess, client_of: ClientOf, owner: User, stranger: User
) -> None:
    mine, theirs = client_of(owner), client_of(stranger)
    given = go(provider, mine, "nina")
    theirs.cookies = cookies_of(mine)

    assert error_of(come_back(theirs, given)) == INVALID_STATE
    assert Connection.objects.count() == 0
