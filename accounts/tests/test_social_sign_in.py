"""`/auth/oauth/{provider}/…`: signing in with a provider, whose process is real."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from django.test import Client

from accounts.models import Connection, Session, SocialFlow, User
from accounts.tests.answers import NOT_FOUND, error_of, invalid, kinds_sent_to, refusal, sign_in, tables
from accounts.tests.factories import PASSWORD, create_connection, create_user
from accounts.tests.oidc_provider.process import ProviderProcess
from accounts.tests.social import CALLBACK, NINA, OLIVE, PEOPLE, authorize, come_back, go, sign_in_with
from core.identifiers import uuid7
from core.tests.spine import Drain, Events

pytestmark = pytest.mark.django_db

NOT_VERIFIED = refusal(403, "EMAIL_NOT_VERIFIED", "Confirm your e-mail address first.")


def identity_of(person: dict[str, Any], process: ProviderProcess) -> dict[str, str]:
    return {"provider": "acme", "issuer": f"{process.base}/oidc", "subject": person["sub"]}


def test_the_providers_are_those_of_the_settings(provider: ProviderProcess, anonymous: Client) -> None:
    answer = anonymous.get("/api/v1/auth/oauth/providers")

    assert answer.status_code == 200
    assert answer.json()["data"] == [
        {"id": "acme", "name": "Acme"},
        {"id": "microsoft", "name": "Microsoft"},
        {"id": "github", "name": "GitHub"},
    ]


def test_the_address_to_go_to_holds_what_the_protocol_asks_for(provider: ProviderProcess, anonymous: Client) -> None:
    answer = authorize(anonymous)

    url = answer.json()["data"]["authorization_url"]
    sent = {name: value for name, [value] in parse_qs(urlsplit(url).query).items()}
    flow = SocialFlow.objects.get()
    assert answer.json()["data"].keys() == {"authorization_url"}
    assert url.startswith(f"{provider.base}/oidc/authorize?")
    assert sent.keys() == {
        *("response_type", "client_id", "redirect_uri", "scope", "state"),
        *("nonce", "code_challenge", "code_challenge_method"),
    }
    assert (sent["response_type"], sent["client_id"], sent["redirect_uri"]) == ("code", "nook", CALLBACK)
    assert (sent["scope"], sent["code_challenge_method"]) == ("openid email profile", "S256")
    assert flow.secrets["nonce"] == sent["nonce"]
    assert sent["state"] not in str(SocialFlow.objects.values().get())


def test_somebody_new_gets_an_account(
    provider: ProviderProcess, anonymous: Client, events: Events, drain: Drain
) -> None:
    answer = sign_in_with(provider, anonymous, "nina")

    data, user = answer.json()["data"], User.objects.get(email="nina@example.com")
    claims = jwt.decode(data["access_token"], options={"verify_signature": False})
    assert answer.status_code == 200
    assert data.keys() == {"access_token", "refresh_token", "token_type", "expires_in", "user"}
    assert (data["user"]["id"], data["user"]["email_verified"]) == (str(user.pk), True)
    assert (claims["sub"], claims["amr"]) == (str(user.pk), ["fed"])
    assert (user.name, user.role_name, user.has_usable_password()) == ("Nina New", "user", False)
    assert Connection.objects.values("provider", "issuer", "subject").get(user=user) == identity_of(NINA, provider)
    assert [event.payload for event in events("connection.*")] == [{"provider": "acme", "how": "sign_up"}]
    drain()
    assert kinds_sent_to(user.email) == ["account.welcome"]


def test_who_is_known_signs_in_again_whatever_their_address_is_now(
    provider: ProviderProcess, anonymous: Client, stranger: User
) -> None:
    first = sign_in_with(provider, anonymous, "nina").json()["data"]["user"]
    provider.behave(people=PEOPLE | {"nina": NINA | {"email": stranger.email}})

    again = sign_in_with(provider, anonymous, "nina").json()["data"]["user"]

    assert (again["id"], again["email"]) == (first["id"], "nina@example.com")
    assert Connection.objects.count() == 1
    assert Session.objects.count() == 2


def test_both_sides_have_confirmed_the_address_so_the_account_is_joined(
    provider: ProviderProcess, anonymous: Client, owner: User, events: Events
) -> None:
    answer = sign_in_with(provider, anonymous, "olive")

    assert answer.json()["data"]["user"]["id"] == str(owner.pk)
    assert Connection.objects.get().user == owner
    assert [event.payload for event in events("connection.*")] == [{"provider": "acme", "how": "verified_email"}]
    assert kinds_sent_to(owner.email) == ["account.connection_changed"]
    assert sign_in(anonymous, owner.email).status_code == 200


def test_an_address_that_waits_to_be_confirmed_is_not_joined(
    provider: ProviderProcess, anonymous: Client, settings: Any
) -> None:
    create_user(email="owner@example.com", email_verified=False)
    given = go(provider, anonymous, "olive")
    before = tables()

    answer = come_back(anonymous, given)

    message = (
        "An account with this e-mail address was never confirmed. "
        "We have written to the address: set a new password, then sign in with Acme."
    )
    assert error_of(answer) == refusal(409, "CONFLICT", message, (None, "account_unconfirmed", message))
    assert (tables(), Connection.objects.count()) == (before | {"outbox": before["outbox"] + 1}, 0)


def test_an_address_that_the_provider_did_not_verify_joins_nobody(
    provider: ProviderProcess, anonymous: Client, owner: User
) -> None:
    answer = sign_in_with(provider, anonymous, "mallory")

    assert error_of(answer) == NOT_VERIFIED
    assert (Connection.objects.count(), Session.objects.count(), User.objects.count()) == (0, 0, 1)
    assert kinds_sent_to(owner.email) == ["account.email_taken"]


def test_nor_does_it_tell_whether_there_is_an_account(
    provider: ProviderProcess, anonymous: Client, owner: User
) -> None:
    free = {"sub": "mallory-2", "email": "free@example.com", "email_verified": False}
    provider.behave(people=PEOPLE | {"free": free})

    taken = [sign_in_with(provider, anonymous, "mallory") for _ in range(2)]
    untaken = [sign_in_with(provider, anonymous, "free") for _ in range(2)]

    assert {str(error_of(answer)) for answer in [*taken, *untaken]} == {str(NOT_VERIFIED)}
    assert kinds_sent_to("free@example.com") == ["account.verify_email"]
    assert Session.objects.count() == 0


@pytest.mark.parametrize("verified", [False, None, "false", 0, "yes", [True], {"a": 1}])
def test_only_a_plain_yes_verifies_an_address(
    provider: ProviderProcess, anonymous: Client, owner: User, verified: Any
) -> None:
    provider.behave(people={"olive": OLIVE | {"email_verified": verified}})

    assert error_of(sign_in_with(provider, anonymous, "olive")) == NOT_VERIFIED
    assert Connection.objects.count() == 0


def test_a_disabled_account_is_told_so_and_not_joined(provider: ProviderProcess, anonymous: Client) -> None:
    create_user(email="owner@example.com", is_active=False)

    answer = sign_in_with(provider, anonymous, "olive")

    assert error_of(answer) == refusal(403, "ACCOUNT_DISABLED", "This account has been disabled.")
    assert (Connection.objects.count(), Session.objects.count()) == (0, 0)


def test_a_disabled_account_that_was_joined_before_stays_out(provider: ProviderProcess, anonymous: Client) -> None:
    sign_in_with(provider, anonymous, "nina")
    User.objects.update(is_active=False)

    assert sign_in_with(provider, anonymous, "nina").json()["error"]["code"] == "ACCOUNT_DISABLED"
    assert Session.objects.count() == 1


def test_a_deleted_account_does_not_come_back_its_address_is_free(provider: ProviderProcess, anonymous: Client) -> None:
    first = sign_in_with(provider, anonymous, "nina").json()["data"]["user"]["id"]
    User.objects.filter(pk=first).move_to_bin(operation=uuid7(), by=None)

    again = sign_in_with(provider, anonymous, "nina").json()["data"]["user"]["id"]

    assert again != first
    assert str(Connection.objects.get().user_id) == again


def test_without_an_address_there_is_no_account(provider: ProviderProcess, anonymous: Client) -> None:
    provider.behave(people={"nobody": {"sub": "nobody-1", "name": "Nobody"}})
    before = tables()

    answer = sign_in_with(provider, anonymous, "nobody")

    message = "Acme gave no e-mail address; allow it there, or register with a password."
    assert error_of(answer) == invalid((None, "email_missing", message))
    assert tables() == before


@pytest.mark.parametrize(
    "address", ["x", "a@b", "a@example.com\r\nBcc: b@example.com", "ü@example.com", "a" * 250 + "@example.com", 1, None]
)
def test_an_address_that_mail_cannot_go_to_is_none(provider: ProviderProcess, anonymous: Client, address: Any) -> None:
    provider.behave(people={"odd": {"sub": "odd-1", "email": address, "email_verified": True}})

    assert sign_in_with(provider, anonymous, "odd").json()["error"]["details"][0]["code"] == "email_missing"
    assert User.objects.count() == 0


def test_a_name_is_cleaned_of_what_does_not_print(provider: ProviderProcess, anonymous: Client) -> None:
    provider.behave(people={"odd": NINA | {"name": "  Ni\u202ena\x00\r\n  <b>New</b>" + "x" * 300}})

    name = sign_in_with(provider, anonymous, "odd").json()["data"]["user"]["name"]

    assert name.startswith("Nina <b>New</b>xxx")
    assert len(name) == 255


def test_what_the_id_token_lacks_the_user_info_says(provider: ProviderProcess, anonymous: Client, owner: User) -> None:
    provider.behave(people=PEOPLE, claims={"email": None, "email_verified": None, "name": None})

    assert sign_in_with(provider, anonymous, "olive").json()["data"]["user"]["id"] == str(owner.pk)
    assert provider.seen()[-1] == "userinfo"


def test_user_info_about_somebody_else_is_refused(provider: ProviderProcess, anonymous: Client, owner: User) -> None:
    provider.behave(people=PEOPLE, claims={"email": None}, user_info={"sub": "somebody-else"})

    assert sign_in_with(provider, anonymous, "olive").json()["error"]["details"][0]["code"] == "untrusted_identity"
    assert Connection.objects.count() == 0


def test_the_refresh_token_may_travel_as_a_cookie(provider: ProviderProcess, anonymous: Client) -> None:
    answer = sign_in_with(provider, anonymous, "nina", token_transport="cookie")

    assert "refresh_token" not in answer.json()["data"]
    assert answer.cookies["nook_refresh"]["httponly"]
    assert answer.cookies["nook_device"]["httponly"]


def test_where_confirming_is_not_required_an_unverified_address_still_joins_nobody(
    provider: ProviderProcess, anonymous: Client, owner: User, settings: Any
) -> None:
    settings.EMAIL_VERIFICATION_REQUIRED = False

    assert error_of(sign_in_with(provider, anonymous, "mallory")) == NOT_VERIFIED
    assert Connection.objects.count() == 0


def test_who_came_first_with_my_address_does_not_come_back_after_i_took_it_over(
    provider: ProviderProcess, anonymous: Client, drain: Drain
) -> None:
    sign_in_with(provider, anonymous, "mallory")
    anonymous.post("/api/v1/auth/register", {"email": "owner@example.com", "password": PASSWORD, "name": "Olive"})
    drain()
    token = link_token("owner@example.com", "account.password_reset")

    anonymous.post("/api/v1/auth/reset-password", {"token": token, "password": "my-own-horse-and-battery"})

    assert sign_in(anonymous, "owner@example.com", "my-own-horse-and-battery").status_code == 200
    assert error_of(sign_in_with(provider, anonymous, "mallory")) == NOT_VERIFIED
    assert Connection.objects.count() == 0


def test_an_unknown_provider_is_not_found(provider: ProviderProcess, anonymous: Client) -> None:
    assert error_of(authorize(anonymous, "nobody")) == NOT_FOUND
    assert error_of(come_back(anonymous, {"code": "c", "state": "s"}, "nobody")) == NOT_FOUND


def test_an_account_that_was_connected_elsewhere_is_told_by_issuer_and_subject(
    provider: ProviderProcess, anonymous: Client, owner: User
) -> None:
    create_connection(owner, provider="acme", issuer="https://the.old.issuer.example", subject="nina-1")

    assert sign_in_with(provider, anonymous, "nina").json()["data"]["user"]["email"] == "nina@example.com"


def link_token(address: str, kind: str) -> str:
    from notifications.models import Message

    return str(Message.objects.get(address=address, kind=kind).context["link"]).rpartition("token=")[2]
