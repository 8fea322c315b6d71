"""POST /users with `invite`, the mailed link, and sending it again."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from accounts.models import SingleUseToken, User
from accounts.tests.answers import INVALID_LINK, ClientOf, bearer, error_of, kinds_sent_to, refusal, sign_in, tables
from accounts.tests.factories import PASSWORD, access_token_of, create_session, create_user
from accounts.tests.test_races import at_once, post
from accounts.tests.user_answers import PATH, TAKEN, of
from core.tests.spine import Drain, Events
from notifications.models import Message
from notifications.tests.smtp import SmtpSink

BrowserOf = Callable[[User], Client]
RESET = "/api/v1/auth/reset-password"
USERS = "/admin/accounts/user/"
NEW = {"email": "new@example.com", "name": "Nina", "invite": True}


def token_of(address: str = "new@example.com") -> str:
    message = Message.objects.filter(address=address).latest("id")
    return str(message.context["link"].rpartition("token=")[2])


def expire(user: User) -> None:
    SingleUseToken.objects.filter(user=user).update(expires_at=datetime.now(UTC) - timedelta(seconds=1))


def invite_again(browser: Client, *people: User) -> list[str]:
    chosen = [str(user.pk) for user in people]
    answer: Any = browser.post(USERS, {"action": "invite_again", "_selected_action": chosen})
    return [str(message) for message in get_messages(answer.wsgi_request)]


@pytest.fixture
def nina(moderator: User, client_of: ClientOf) -> User:
    """Somebody whom the moderator has invited."""
    client_of(moderator).post(PATH, NEW)
    return User.objects.get(email="new@example.com")


def test_the_mail_says_who_invites_and_for_how_long(nina: User, drain: Drain, smtp_sink: SmtpSink) -> None:
    drain()

    (mail,) = smtp_sink.mails
    text = str(mail.get_body(("plain",)))
    assert mail["Subject"] == "You are invited to Nook Link"
    assert "Mo Moderator has made an account" in text
    assert "/accept-invitation?token=nkm_" in text
    assert "7 days" in text


def test_the_link_sets_the_password_and_proves_the_address(nina: User, anonymous: Client, events: Events) -> None:
    before = sign_in(anonymous, nina.email).status_code

    answer = anonymous.post(RESET, {"token": token_of(), "password": PASSWORD})

    nina.refresh_from_db()
    assert (before, answer.status_code, nina.email_verified) == (401, 200, True)
    assert sign_in(anonymous, nina.email).status_code == 200
    assert [event.type for event in events("user.*")] == [
        "user.created",
        "user.invited",
        "user.email_verified",
        "user.password_changed",
    ]
    assert events("user.password_changed")[0].payload == {"how": "invitation"}
    assert kinds_sent_to(nina.email) == ["account.invitation"]


def test_the_page_behind_the_link_does_the_same(nina: User, anonymous: Client) -> None:
    browser = Client()
    page = browser.get("/accept-invitation", {"token": token_of()})

    done = browser.post("/accept-invitation", {"token": token_of(), "password": PASSWORD, "repeated": PASSWORD})

    assert "Welcome: choose a password" in page.content.decode()
    assert "Your account is ready" in done.content.decode()
    assert sign_in(anonymous, nina.email).status_code == 200


def test_an_expired_invitation_is_refused_and_can_be_sent_again(
    nina: User, moderator: User, anonymous: Client, browser_of: BrowserOf
) -> None:
    expire(nina)
    before = tables()
    late = anonymous.post(RESET, {"token": token_of(), "password": PASSWORD})
    assert (error_of(late), tables()) == (INVALID_LINK, before)

    told = invite_again(browser_of(moderator), nina)

    assert told == ["1 invitations sent."]
    assert anonymous.post(RESET, {"token": token_of(), "password": PASSWORD}).status_code == 200


def test_a_second_invitation_voids_the_first(
    nina: User, moderator: User, anonymous: Client, browser_of: BrowserOf
) -> None:
    first = token_of()

    invite_again(browser_of(moderator), nina)

    assert error_of(anonymous.post(RESET, {"token": first, "password": PASSWORD})) == INVALID_LINK
    assert anonymous.post(RESET, {"token": token_of(), "password": PASSWORD}).status_code == 200


def test_a_new_address_voids_the_invitation(nina: User, admin: User, anonymous: Client, client_of: ClientOf) -> None:
    token = token_of()

    client_of(admin).patch(of(nina), {"email": "other@example.com"})

    assert error_of(anonymous.post(RESET, {"token": token, "password": PASSWORD})) == INVALID_LINK


def test_an_address_that_has_an_account_is_not_invited(owner: User, moderator: User, client_of: ClientOf) -> None:
    client = client_of(moderator)
    before = tables()

    answer = client.post(PATH, {**NEW, "email": owner.email})

    assert (error_of(answer), tables()) == (TAKEN, before)


def test_an_administrator_invites_with_a_role(admin: User, client_of: ClientOf) -> None:
    answer = client_of(admin).post(PATH, {**NEW, "role": "moderator"})

    assert (answer.status_code, answer.json()["data"]["role"]) == (201, "moderator")


def test_nobody_creates_what_holds_more_than_they_do(owner: User, moderator: User, client_of: ClientOf) -> None:
    owner.role.permissions = ["read:audit"]
    owner.role.save()
    client = client_of(moderator)
    before = tables()

    answer = client.post(PATH, NEW)

    assert error_of(answer) == refusal(403, "PERMISSION_DENIED", "This account (or role) holds more than you do.")
    assert tables() == before


@pytest.mark.parametrize(
    ("who", "reason"),
    [
        ("owner", "This account is set up already; its owner can ask for a new password."),
        ("disabled", "This account is disabled."),
        ("admin", "This account (or role) holds more than you do."),
    ],
)
def test_who_cannot_be_invited_is_told(
    request: pytest.FixtureRequest, owner: User, moderator: User, browser_of: BrowserOf, who: str, reason: str
) -> None:
    disabled = create_user(password="!", is_active=False)
    person = disabled if who == "disabled" else request.getfixturevalue(who)
    browser = browser_of(moderator)
    before = tables()

    told = invite_again(browser, person)

    assert told == [f"{person}: {reason}", "0 invitations sent."]
    assert tables() == before


def test_the_list_shows_who_is_invited_and_whose_invitation_has_expired(
    nina: User, owner: User, admin: User, browser_of: BrowserOf
) -> None:
    late = create_user(password="!", email_verified=False)
    browser = browser_of(admin)

    def listed(state: str) -> list[str]:
        page: Any = browser.get(USERS, {"account": state})
        assert page.status_code == 200
        return [str(user) for user in page.context["cl"].result_list]

    assert (listed("invited"), listed("overdue")) == ([nina.email], [late.email])
    assert "Invitation expired" in browser.get(USERS).content.decode()
    assert browser.get(f"{USERS}{nina.pk}/change/").status_code == 200


def test_an_administrator_who_has_not_accepted_is_no_administrator_yet(admin: User, client_of: ClientOf) -> None:
    client = client_of(admin)
    client.post(PATH, {**NEW, "role": "admin", "email_verified": True})

    demoted = client.patch(of(admin), {"role": "user"})

    assert error_of(demoted)["message"] == "There has to be an administrator who can sign in; this is the last one."


def test_the_last_administrator_keeps_a_confirmed_address(admin: User, client_of: ClientOf) -> None:
    client = client_of(admin)
    before = tables()

    answer = client.patch(of(admin), {"email_verified": False})

    assert answer.status_code == 409
    assert tables() == before


def test_a_user_is_told_of_a_new_role(
    owner: User, admin: User, client_of: ClientOf, drain: Drain, smtp_sink: SmtpSink
) -> None:
    client_of(admin).patch(of(owner), {"role": "moderator"})

    (message,) = Message.objects.all()
    assert (message.kind, message.address) == ("account.role_changed", owner.email)
    drain()
    assert "was user and is moderator now" in str(smtp_sink.mails[0].get_body(("plain",)))


@pytest.mark.django_db(transaction=True)
def test_of_64_uses_of_one_invitation_one_wins(transactional_db: None) -> None:
    staff = bearer(access_token_of(create_session(create_user("moderator"))))
    post("/users", NEW, headers=staff)
    token = token_of()

    answers = at_once(
        64,
        lambda index: post("/auth/reset-password", {"token": token, "password": f"a-new-horse-number-{index}"}, index),
    )

    statuses = [answer.status_code for answer in answers]
    assert sorted(statuses) == [200] + [400] * 63
    winner = f"a-new-horse-number-{statuses.index(200)}"
    assert post("/auth/login", {"email": "new@example.com", "password": winner}, 99).status_code == 200
