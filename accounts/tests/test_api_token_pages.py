"""The admin's page of personal access tokens."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from django.test import Client

from accounts.models import ApiToken, User
from accounts.tests.factories import create_api_token_of
from core.tests.spine import Events

BrowserOf = Callable[[User], Client]
LIST = "/admin/accounts/apitoken/"


def revoke(browser: Client, *tokens: ApiToken) -> str:
    chosen = [str(token.pk) for token in tokens]
    answer = browser.post(LIST, {"action": "revoke", "_selected_action": chosen}, follow=True)
    return answer.content.decode()


def test_staff_see_whose_tokens_there_are_and_never_a_digest(
    moderator: User, owner: User, browser_of: BrowserOf
) -> None:
    token, secret = create_api_token_of(owner, "read:resource", name="Nightly")

    browser = browser_of(moderator)
    pages = browser.get(LIST).content.decode(), browser.get(f"{LIST}{token.pk}/change/").content.decode()

    for page in pages:
        assert all(part in page for part in (owner.email, "Nightly", token.prefix, "read:resource"))
        assert token.token not in page
        assert secret not in page


def test_the_filter_finds_what_nobody_uses(moderator: User, owner: User, browser_of: BrowserOf) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=91)
    names = {"fresh": {}, "idle": {"last_used_at": long_ago}, "never": {}, "expired": {"expires_at": long_ago}}
    for name, fields in names.items():
        token, _ = create_api_token_of(owner, name=f"{name} one", **fields)
        if name != "fresh":
            ApiToken.objects.filter(pk=token.pk).update(created_at=long_ago)
    browser = browser_of(moderator)

    def listed(state: str) -> set[str]:
        page = browser.get(LIST, {"state": state}).content.decode()
        return {name for name in names if f"{name} one" in page}

    assert listed("unused") == {"idle", "never"}
    assert listed("expired") == {"expired"}
    assert listed("live") == {"fresh", "idle", "never"}
    assert listed("revoked") == set()


def test_staff_revoke_a_token_and_the_log_says_who(
    moderator: User, owner: User, browser_of: BrowserOf, events: Events
) -> None:
    token, _ = create_api_token_of(owner)

    page = revoke(browser_of(moderator), token)

    token.refresh_from_db()
    (event,) = events("api_token.revoked")
    assert "1 tokens revoked." in page
    assert (token.revoke_reason, event.actor, event.audience) == ("revoked_by_staff", moderator.pk, [owner.pk])


def test_nobody_revokes_the_token_of_somebody_above_them(
    moderator: User, admin: User, browser_of: BrowserOf, events: Events
) -> None:
    token, _ = create_api_token_of(admin)

    page = revoke(browser_of(moderator), token)

    token.refresh_from_db()
    assert "holds more than you do" in page
    assert token.revoked_at is None
    assert events("api_token.revoked") == []
