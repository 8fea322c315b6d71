"""`/auth/oauth/connections`: connecting a provider while signed in, and removing it again."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.test import Client
from django.urls import reverse

from accounts.models import Connection, Passkey, Session, SocialFlow, User
from accounts.tests.answers import NOT_FOUND, ClientOf, error_of, kinds_sent_to, refusal, sign_in, tables, variables_of
from accounts.tests.authenticator import Authenticator
from accounts.tests.factories import access_token_of, create_connection, create_session, create_user
from accounts.tests.oidc_provider.process import ProviderProcess
from accounts.tests.passkeys import add_passkey
from accounts.tests.social import Browser, authorize, come_back, cookies_of, go, sign_in_with
from core.tests.spine import Events
from notifications.models import Message

pytestmark = pytest.mark.django_db

BrowserOf = Callable[[User], Client]
PATH = "/api/v1/auth/oauth/connections"
SIGN_IN_AGAIN = refusal(403, "REAUTHENTICATION_REQUIRED", "Confirm that it is you: sign in again.")
LAST_ONE = refusal(409, "CONFLICT", "This is the last way to sign in; set a password or add another one first.")


def no_password() -> dict[str, Any]:
    return {"password": make_password(None)}


def test_who_is_signed_in_connects_a_provider_whatever_address_it_has(
    provider: ProviderProcess, client_of: ClientOf, owner: User, events: Events
) -> None:
    client = client_of(owner)

    answer = sign_in_with(provider, client, "nina")

    connection = Connection.objects.get()
    shape = {
        "id": str(connection.pk),
        "provider": "acme",
        "name": "Acme",
        "email": "nina@example.com",
        "created_at": answer.json()["data"]["connection"]["created_at"],
        "last_used_at": answer.json()["data"]["connection"]["last_used_at"],
    }
    assert (answer.status_code, answer.json()["data"]) == (200, {"connection": shape})
    assert (connection.user, connection.subject) == (owner, "nina-1")
    assert client.get(PATH).json()["data"] == [shape]
    assert [(event.actor, event.payload) for event in events("connection.*")] == [
        (owner.pk, {"provider": "acme", "how": "connected"})
    ]
    assert kinds_sent_to(owner.email) == ["account.connection_changed"]
    assert not User.objects.filter(email="nina@example.com").exists()
    assert sign_in_with(provider, Browser(), "nina").json()["data"]["user"]["id"] == str(owner.pk)


def test_the_mail_says_what_was_done_and_from_where(
    provider: ProviderProcess, client_of: ClientOf, owner: User
) -> None:
    sign_in_with(provider, client_of(owner), "nina")

    context = variables_of(Message.objects.get())
    assert (context["provider"], context["change"]) == ("Acme", "connected to")
    assert context.keys() >= {"ip", "device"}


def test_connecting_again_changes_nothing(provider: ProviderProcess, client_of: ClientOf, owner: User) -> None:
    client = client_of(owner)
    first = sign_in_with(provider, client, "nina").json()["data"]

    assert sign_in_with(provider, client, "nina").json()["data"] == first
    assert kinds_sent_to(owner.email) == ["account.connection_changed"]


def test_what_signs_somebody_else_in_is_not_taken_from_them(
    provider: ProviderProcess, client_of: ClientOf, owner: User, stranger: User
) -> None:
    sign_in_with(provider, client_of(stranger), "nina")

    answer = sign_in_with(provider, client_of(owner), "nina")

    message = "This account at Acme signs somebody else in already."
    assert error_of(answer) == refusal(409, "CONFLICT", message, (None, "connection_taken", message))
    assert Connection.objects.get().user == stranger
    assert kinds_sent_to(owner.email) == []


def test_a_connection_begun_signed_in_is_not_finished_signed_out(
    provider: ProviderProcess, client_of: ClientOf, owner: User
) -> None:
    client, out = client_of(owner), Browser()
    given = go(provider, client, "nina")
    out.cookies = cookies_of(client)

    assert come_back(out, given).json()["error"]["details"][0]["code"] == "invalid_state"
    assert (Connection.objects.count(), User.objects.count()) == (0, 1)


def test_connecting_and_removing_need_a_recent_sign_in(provider: ProviderProcess, owner: User) -> None:
    long_ago = datetime.now(UTC) - timedelta(minutes=11)
    client = Browser(access_token_of(create_session(owner, authenticated_at=long_ago)))
    connection = create_connection(owner)
    before = tables()

    assert error_of(authorize(client)) == SIGN_IN_AGAIN
    assert error_of(client.delete(f"{PATH}/{connection.pk}")) == SIGN_IN_AGAIN
    assert (tables(), Connection.objects.count(), SocialFlow.objects.count()) == (before, 1, 0)


def test_a_connection_is_removed(provider: ProviderProcess, client_of: ClientOf, owner: User, events: Events) -> None:
    connection = create_connection(owner)
    client = client_of(owner)

    answer = client.delete(f"{PATH}/{connection.pk}")

    assert (answer.status_code, client.get(PATH).json()["data"]) == (204, [])
    assert [event.payload for event in events("connection.*")] == [{"provider": "github", "reason": "removed"}]
    assert variables_of(Message.objects.get())["change"] == "removed from"
    assert client.delete(f"{PATH}/{connection.pk}").status_code == 404


def test_nobody_removes_or_sees_those_of_others(client_of: ClientOf, owner: User, stranger: User) -> None:
    connection = create_connection(owner)
    client = client_of(stranger)

    assert error_of(client.delete(f"{PATH}/{connection.pk}")) == NOT_FOUND
    assert client.get(PATH).json()["data"] == []
    assert Connection.objects.count() == 1


def test_the_last_way_to_sign_in_stays(client_of: ClientOf) -> None:
    user = create_user(**no_password())
    first, second = create_connection(user), create_connection(user)
    client = client_of(user)

    assert client.delete(f"{PATH}/{first.pk}").status_code == 204
    before = tables()
    assert error_of(client.delete(f"{PATH}/{second.pk}")) == LAST_ONE
    assert (tables(), Connection.objects.count()) == (before, 1)


def test_a_passkey_is_a_way_to_sign_in_too_and_the_last_one_stays_as_well(client_of: ClientOf) -> None:
    user = create_user(**no_password())
    connection = create_connection(user)
    client = client_of(user)
    passkey = add_passkey(client, Authenticator()).json()["data"]["id"]

    assert client.delete(f"{PATH}/{connection.pk}").status_code == 204
    assert error_of(client.delete(f"/api/v1/auth/mfa/passkeys/{passkey}")) == LAST_ONE
    assert Passkey.objects.count() == 1


def test_with_a_password_the_last_connection_may_go(client_of: ClientOf, owner: User) -> None:
    assert client_of(owner).delete(f"{PATH}/{create_connection(owner).pk}").status_code == 204


def test_who_has_no_password_sets_one_by_mail(
    provider: ProviderProcess, anonymous: Client, drain: Callable[..., int]
) -> None:
    sign_in_with(provider, anonymous, "nina")
    anonymous.post("/api/v1/auth/forgot-password", {"email": "nina@example.com"})
    drain()
    token = Message.objects.get(kind="account.password_reset").context["link"].rpartition("token=")[2]

    anonymous.post("/api/v1/auth/reset-password", {"token": token, "password": "my-own-horse-and-battery"})

    assert sign_in(anonymous, "nina@example.com", "my-own-horse-and-battery").status_code == 200
    # The address was confirmed before, so what was connected then is hers.
    assert sign_in_with(provider, Browser(), "nina").status_code == 200


def test_a_provider_that_is_gone_from_the_settings_still_has_a_name(client_of: ClientOf, owner: User) -> None:
    connection = create_connection(owner, provider="acme")
    client = client_of(owner)

    assert client.get(PATH).json()["data"][0]["name"] == "Acme"
    assert client.delete(f"{PATH}/{connection.pk}").status_code == 204


def test_with_two_factors_on_the_provider_is_only_the_first(
    provider: ProviderProcess, anonymous: Client, owner: User
) -> None:
    sign_in_with(provider, anonymous, "olive")
    Session.objects.all().delete()
    User.objects.update(mfa_enabled=True)

    answer = sign_in_with(provider, anonymous, "olive")

    data = answer.json()["data"]
    assert answer.status_code == 200
    assert data.keys() == {"mfa_required", "mfa_token", "methods", "expires_in"}
    assert data["mfa_required"] is True
    assert not Session.objects.exists()
    assert "nook_refresh" not in answer.cookies


# The admin


def act(browser: Client, connection: Connection) -> Any:
    body = {"action": "remove", "_selected_action": [str(connection.pk)]}
    return browser.post(reverse("admin:accounts_connection_changelist"), body, follow=True)


def test_staff_remove_a_connection(owner: User, moderator: User, browser_of: BrowserOf, events: Events) -> None:
    connection = create_connection(owner)

    page = act(browser_of(moderator), connection).content.decode()

    assert "1 connections removed." in page
    assert not Connection.objects.exists()
    assert [event.actor for event in events("connection.removed")] == [moderator.pk]
    assert kinds_sent_to(owner.email) == ["account.connection_changed"]


def test_the_page_of_a_user_leads_to_their_connections(owner: User, moderator: User, browser_of: BrowserOf) -> None:
    connection = create_connection(owner, subject="<583231>")
    browser = browser_of(moderator)

    page = browser.get(reverse("admin:accounts_user_change", args=[owner.pk])).content.decode()

    assert f"GitHub ({owner.email})" in page
    address = reverse("admin:accounts_connection_change", args=[connection.pk])
    assert f'href="{address}"' in page
    assert browser.get(address).status_code == 200


def test_staff_do_not_reach_above_themselves(admin: User, moderator: User, browser_of: BrowserOf) -> None:
    connection = create_connection(admin)

    page = act(browser_of(moderator), connection).content.decode()

    assert "holds more than you do" in page
    assert Connection.objects.exists()


def test_staff_leave_a_last_way_to_sign_in(admin: User, browser_of: BrowserOf) -> None:
    connection = create_connection(create_user(**no_password()))

    page = act(browser_of(admin), connection).content.decode()

    assert "last way to sign in" in page
    assert Connection.objects.exists()
    assert not Message.objects.exists()
