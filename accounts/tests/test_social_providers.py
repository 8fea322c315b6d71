"""GitHub and Microsoft, which are not like the others; and what is wrong with settings is told at the start."""

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from pytest_django import Settings

from accounts.models import Connection, Session, User
from accounts.providers.table import providers
from accounts.tests.answers import error_of, refusal
from accounts.tests.oidc_provider.process import ProviderProcess
from accounts.tests.social import GIT, PEOPLE, TENANT, TINA, authorize, come_back, go, sign_in_with

pytestmark = pytest.mark.django_db

NOT_VERIFIED = refusal(403, "EMAIL_NOT_VERIFIED", "Confirm your e-mail address first.")
OTHER_TENANT = "11111111-2222-3333-4444-555555555555"


def code_of(answer: Any) -> str:
    error = answer.json()["error"]
    return str(error["details"][0]["code"] if error["details"] else error["code"])


# GitHub


def test_github_signs_in_by_its_api(provider: ProviderProcess, anonymous: Client) -> None:
    answer = sign_in_with(provider, anonymous, "octo", "github")

    connection = Connection.objects.get()
    assert answer.json()["data"]["user"]["email"] == "octo@example.com"
    assert answer.json()["data"]["user"]["name"] == "Octo Cat"
    assert (connection.provider, connection.issuer, connection.subject) == (
        *("github", f"{provider.base}/github"),
        "583231",
    )
    assert provider.seen() == ["token", "api", "api"]


@pytest.mark.parametrize(
    "emails",
    [
        [{"email": "owner@example.com", "primary": True, "verified": False}],
        [{"email": "owner@example.com", "primary": True, "verified": "true"}],
        [{"email": "owner@example.com", "primary": True}],
    ],
)
def test_github_s_unverified_address_joins_nobody(
    provider: ProviderProcess, anonymous: Client, owner: User, emails: list[Any]
) -> None:
    provider.behave(people={"octo": GIT | {"emails": emails}})

    assert error_of(sign_in_with(provider, anonymous, "octo", "github")) == NOT_VERIFIED
    assert not Connection.objects.exists()


@pytest.mark.parametrize(
    "emails",
    [[], [{"email": "owner@example.com", "primary": False, "verified": True}], ["owner@example.com"], [None]],
)
def test_github_s_other_addresses_do_not_count(
    provider: ProviderProcess, anonymous: Client, owner: User, emails: list[Any]
) -> None:
    provider.behave(people={"octo": GIT | {"emails": emails}})

    assert code_of(sign_in_with(provider, anonymous, "octo", "github")) == "email_missing"


@pytest.mark.parametrize("person", [{"id": "583231"}, {"id": None}, {"id": True}, {"emails": {}}])
def test_github_answers_of_another_form_sign_nobody_in(
    provider: ProviderProcess, anonymous: Client, person: dict[str, Any]
) -> None:
    provider.behave(people={"octo": GIT | person})

    assert sign_in_with(provider, anonymous, "octo", "github").status_code == 503
    assert not User.objects.exists()


def test_github_s_refusals_have_status_200(provider: ProviderProcess, anonymous: Client) -> None:
    given = go(provider, anonymous, "octo", "github")

    assert code_of(come_back(anonymous, given | {"code": "wrong"}, "github")) == "invalid_code"
    assert not Session.objects.exists()


# Microsoft


def test_microsoft_names_the_tenant_in_the_issuer(provider: ProviderProcess, anonymous: Client) -> None:
    answer = sign_in_with(provider, anonymous, "tina", "microsoft")

    assert answer.status_code == 200
    assert Connection.objects.get().issuer == f"{provider.base}/microsoft/{TENANT}/v2.0"


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "{base}/microsoft/{other}/v2.0"},
        {"iss": "{base}/microsoft/{{tenantid}}/v2.0"},
        {"iss": "{base}/microsoft/common/v2.0"},
        {"tid": OTHER_TENANT, "iss": "{base}/microsoft/{tenant}/v2.0"},
        {"tid": None},
        {"tid": "common", "iss": "{base}/microsoft/common/v2.0"},
        {"tid": "../oidc", "iss": "{base}/microsoft/../oidc/v2.0"},
    ],
)
def test_microsoft_s_tenant_and_issuer_have_to_agree(
    provider: ProviderProcess, anonymous: Client, claims: dict[str, Any]
) -> None:
    names = {"base": provider.base, "other": OTHER_TENANT, "tenant": TENANT}
    written = {name: value and value.format(**names) for name, value in claims.items()}
    provider.behave(people=PEOPLE, claims=written)

    assert code_of(sign_in_with(provider, anonymous, "tina", "microsoft")) == "untrusted_identity"
    assert not User.objects.exists()


def test_the_same_subject_of_another_tenant_is_somebody_else(provider: ProviderProcess, anonymous: Client) -> None:
    first = sign_in_with(provider, anonymous, "tina", "microsoft").json()["data"]["user"]["id"]
    provider.behave(people={"tina": TINA | {"tid": OTHER_TENANT, "email": "other@example.com"}})

    assert sign_in_with(provider, anonymous, "tina", "microsoft").json()["data"]["user"]["id"] != first


@pytest.mark.parametrize("edov", [None, False, "0", 0, "no"])
def test_what_a_tenant_s_administrator_wrote_into_email_is_not_proof(
    provider: ProviderProcess, anonymous: Client, owner: User, edov: Any
) -> None:
    """nOAuth: any tenant may claim any address; `email_verified` is not Microsoft's and counts for nothing."""
    forged = TINA | {"email": owner.email, "email_verified": True, "xms_edov": edov}
    provider.behave(people={"tina": {name: value for name, value in forged.items() if value is not None}})

    assert error_of(sign_in_with(provider, anonymous, "tina", "microsoft")) == NOT_VERIFIED
    assert not Connection.objects.exists()


@pytest.mark.parametrize("edov", [True, "true", "1", 1])
def test_a_domain_that_is_the_tenant_s_is_proof(
    provider: ProviderProcess, anonymous: Client, owner: User, edov: Any
) -> None:
    provider.behave(people={"tina": TINA | {"email": owner.email, "xms_edov": edov}})

    data = sign_in_with(provider, anonymous, "tina", "microsoft").json()["data"]

    assert data["user"]["id"] == str(owner.pk)


# The settings


GIVEN = {"client_id": "an-id", "client_secret": "a-secret", "issuer": "", "name": ""}


@pytest.mark.parametrize(
    ("configured", "message"),
    [
        ({"google": GIVEN | {"client_id": ""}}, "OAUTH_GOOGLE_CLIENT_ID is missing"),
        ({"google": GIVEN | {"client_secret": "ü"}}, "OAUTH_GOOGLE_CLIENT_SECRET is missing, or holds more than ASCII"),
        ({"my-company": GIVEN}, "OAUTH_MY_COMPANY_ISSUER must be the https:// address"),
        ({"acme": GIVEN | {"issuer": "http://acme.example"}}, "OAUTH_ACME_ISSUER must be the https:// address"),
        ({"acme": GIVEN | {"issuer": "https://acme.example?x=1"}}, "OAUTH_ACME_ISSUER must be"),
        ({"acme": GIVEN | {"issuer": "acme.example"}}, "OAUTH_ACME_ISSUER must be"),
        ({"Acme": GIVEN | {"issuer": "https://acme.example"}}, "'Acme' is no id"),
        ({"connections": GIVEN | {"issuer": "https://acme.example"}}, "'connections' is no id"),
    ],
)
def test_a_wrong_provider_is_one_line(settings: Settings, configured: dict[str, Any], message: str) -> None:
    settings.OAUTH_PROVIDERS = configured

    with pytest.raises(ImproperlyConfigured, match=message.replace("(", r"\(")) as failed:
        providers()

    assert "\n" not in str(failed.value)
    assert "a-secret" not in str(failed.value)


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "http://app.example/callback",
        "https://app.example/#callback",
        "https://*.example/callback",
        "/callback",
        "myapp:/callback",
        "javascript:alert(1)",
    ],
)
def test_an_unsafe_address_to_return_to_is_one_line(settings: Settings, redirect_uri: str) -> None:
    settings.OAUTH_REDIRECT_URIS = [redirect_uri]

    with pytest.raises(ImproperlyConfigured, match="OAUTH_REDIRECT_URIS"):
        providers()


def test_providers_without_an_address_to_return_to_are_refused(settings: Settings) -> None:
    settings.OAUTH_REDIRECT_URIS = []

    with pytest.raises(ImproperlyConfigured, match="OAUTH_REDIRECT_URIS is missing"):
        providers()


@pytest.mark.parametrize(
    "redirect_uri",
    ["https://app.example/callback", "http://localhost:3000/callback", "com.example.app:/oauth/callback"],
)
def test_safe_addresses_to_return_to(settings: Settings, redirect_uri: str) -> None:
    settings.OAUTH_REDIRECT_URIS = [redirect_uri]

    assert list(providers()) == ["github"]


def test_the_known_ones_need_no_issuer_and_show_no_secret(settings: Settings) -> None:
    settings.OAUTH_PROVIDERS = dict.fromkeys(("google", "microsoft", "github"), GIVEN)

    found = providers()

    assert [provider.issuer for provider in found.values()] == [
        "https://accounts.google.com",
        "https://login.microsoftonline.com/common/v2.0",
        "https://github.com",
    ]
    assert "a-secret" not in repr(found)


def test_github_is_asked_for_what_it_knows(settings: Settings, anonymous: Client) -> None:
    url = authorize(anonymous, "github").json()["data"]["authorization_url"]

    assert url.startswith("https://github.com/login/oauth/authorize?response_type=code&client_id=nook-tests&")
    assert "scope=read%3Auser+user%3Aemail" in url
    assert "nonce" not in url
