"""Users, roles and sessions in the admin: the services' rules, in the hands of staff."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from accounts.models import Role, Session, User
from accounts.services.users import delete_user
from accounts.tests.answers import kinds_sent_to
from accounts.tests.factories import PASSWORD, create_session, create_user
from core.permissions import Caller
from core.tests.spine import Events

BrowserOf = Callable[[User], Client]
USERS = "/admin/accounts/user/"
ROLES = "/admin/accounts/role/"
SESSIONS = "/admin/accounts/session/"
LAST_ADMIN = "There has to be an administrator who can sign in; this is the last one."


def signed_in(user: User) -> Client:
    """Return a browser in which the user has signed in to the admin."""
    browser = Client(REMOTE_ADDR=f"10.60.{user.pk.int % 250}.{user.pk.int % 249 + 1}")
    browser.post("/admin/login/", {"username": user.email, "password": PASSWORD})
    return browser


def act(browser: Client, path: str, action: str, *rows: Any) -> list[str]:
    """Run an action of a list on some rows; return what the page then says."""
    answer = browser.post(path, {"action": action, "_selected_action": [str(row.pk) for row in rows]})
    return said(answer)


def said(answer: Any) -> list[str]:
    assert answer.status_code in {200, 302, 403}
    return [str(message) for message in get_messages(answer.wsgi_request)]


def names_in(page: Any) -> list[str]:
    return [str(row) for row in page.context["cl"].result_list]


def user_form(user: User, **changes: Any) -> dict[str, Any]:
    values = {"email": user.email, "name": user.name, "role": user.role_id, "is_active": "on", "email_verified": "on"}
    return {name: value for name, value in {**values, **changes}.items() if value is not None}


def test_the_list_of_users_is_searched_and_filtered(owner: User, stranger: User, admin: User) -> None:
    User.objects.filter(pk=stranger.pk).update(is_active=False)
    browser = signed_in(admin)

    assert names_in(browser.get(USERS, {"q": "olive"})) == [owner.email]
    assert names_in(browser.get(USERS, {"account": "disabled"})) == [stranger.email]
    assert names_in(browser.get(USERS, {"role": "admin"})) == [admin.email]
    assert names_in(browser.get(USERS, {"account": "unconfirmed"})) == []
    assert set(names_in(browser.get(USERS, {"account": "idle"}))) == {owner.email, stranger.email}


@pytest.mark.parametrize(
    ("path", "lookup"),
    [(USERS, "password__startswith"), (SESSIONS, "token__startswith"), (SESSIONS, "user__password__startswith")],
)
def test_no_address_spells_out_a_stored_secret(admin: User, moderator: User, path: str, lookup: str) -> None:
    answer = signed_in(moderator).get(path, {lookup: "bcrypt"})

    assert answer.status_code == 400
    assert admin.email not in answer.content.decode()


def test_the_list_counts_live_sessions(owner: User, admin: User) -> None:
    create_session(owner)
    create_session(owner)
    browser = signed_in(admin)

    page = browser.get(USERS, {"q": owner.email})

    assert [row.session_number for row in page.context["cl"].result_list] == [2]


def test_a_user_is_changed_by_the_service(owner: User, admin: User, events: Events) -> None:
    browser = signed_in(admin)

    browser.post(f"{USERS}{owner.pk}/change/", user_form(owner, name="Olive O.", is_active=None))

    owner.refresh_from_db()
    assert (owner.name, owner.is_active, owner.version) == ("Olive O.", False, 2)
    (event,) = events("user.updated")
    assert (event.actor, event.payload["after"]) == (admin.pk, {"name": "Olive O.", "is_active": False})


def test_a_new_user_is_mailed_a_link(admin: User) -> None:
    browser = signed_in(admin)
    role = Role.objects.get(name="user")

    browser.post(f"{USERS}add/", {"email": "new@example.com", "name": "Nina", "role": role.pk, "is_active": "on"})

    assert User.objects.get(email="new@example.com").name == "Nina"
    assert kinds_sent_to("new@example.com") == ["account.invitation"]


def test_the_page_of_a_new_user_asks_for_what_staff_write_and_shows_nothing_else(admin: User) -> None:
    page = signed_in(admin).get(f"{USERS}add/").content.decode()

    assert 'name="email"' in page
    assert "DatabaseDefault" not in page
    assert "Signing in" not in page


def test_nobody_is_led_to_act_as_somebody_who_was_deleted(owner: User, admin: User) -> None:
    browser = signed_in(admin)
    assert "act-as" in browser.get(f"{USERS}{owner.pk}/change/").content.decode()

    delete_user(actor=Caller.of(admin), user_id=owner.pk)

    page = browser.get(f"{USERS}{owner.pk}/change/")
    assert page.status_code == 200
    assert "act-as" not in page.content.decode()


def test_a_taken_address_is_told_on_the_page(owner: User, stranger: User, admin: User) -> None:
    browser = signed_in(admin)

    answer = browser.post(f"{USERS}{owner.pk}/change/", user_form(owner, email=stranger.email))

    assert said(answer) == ["This address belongs to an account already."]
    assert User.objects.get(pk=owner.pk).email == owner.email


def test_the_last_administrator_stays_one(admin: User, owner: User) -> None:
    browser = signed_in(admin)

    told = act(browser, USERS, "disable", admin, owner)

    assert told == [f"{admin.email}: {LAST_ADMIN}", "1 users disabled."]
    assert User.objects.get(pk=admin.pk).is_active is True
    assert User.objects.get(pk=owner.pk).is_active is False


@pytest.mark.parametrize(
    ("action", "before", "after", "told"),
    [
        ("disable", {"is_active": True}, {"is_active": False}, "1 users disabled."),
        ("enable", {"is_active": False}, {"is_active": True}, "1 users enabled."),
        ("confirm_address", {"email_verified": False}, {"email_verified": True}, "1 addresses confirmed."),
    ],
)
def test_actions_change_users_and_say_how_many(
    admin: User, action: str, before: dict[str, Any], after: dict[str, Any], told: str
) -> None:
    user = create_user(**before)

    assert act(signed_in(admin), USERS, action, user) == [told]
    assert User.objects.filter(pk=user.pk, **after).exists()


def test_a_users_sessions_can_be_ended(owner: User, moderator: User) -> None:
    create_session(owner)

    told = act(signed_in(moderator), USERS, "end_their_sessions", owner)

    assert told == ["Sessions of 1 users ended."]
    assert Session.objects.live().filter(user=owner).count() == 0


def test_a_deleted_user_is_restored(owner: User, admin: User) -> None:
    create_session(owner)
    browser = signed_in(admin)

    browser.post(f"{USERS}{owner.pk}/delete/", {"post": "yes"})
    gone = not User.objects.filter(pk=owner.pk).exists()
    told = act(browser, f"{USERS}?account=deleted", "restore", owner)

    assert gone
    assert told[-1] == "1 users restored."
    assert User.objects.filter(pk=owner.pk).exists()


def test_a_moderator_gives_nobody_a_role(owner: User, admin: User, moderator: User) -> None:
    browser = signed_in(moderator)

    promoted = browser.post(f"{USERS}{owner.pk}/change/", user_form(owner, role=admin.role_id))
    renamed = browser.post(f"{USERS}{admin.pk}/change/", user_form(admin, name="X"))

    assert said(promoted) == ["Only an administrator may set this."]
    assert "This account (or role) holds more than you do." in said(renamed)
    assert User.objects.get(pk=owner.pk).role_name == "user"
    assert User.objects.get(pk=admin.pk).name == "Ada Admin"


def test_a_moderator_has_no_hand_on_roles(moderator: User) -> None:
    browser = signed_in(moderator)

    listed = browser.get(ROLES)
    written = browser.post(f"{ROLES}add/", {"name": "mine", "permissions": ["admin"]})

    assert (listed.status_code, written.status_code) == (200, 403)
    assert not Role.objects.filter(name="mine").exists()


def test_a_role_is_made_changed_and_deleted(admin: User, events: Events) -> None:
    browser = signed_in(admin)

    browser.post(f"{ROLES}add/", {"name": "editor", "description": "", "permissions": ["read:resource"]})
    role = Role.objects.get(name="editor")
    browser.post(f"{ROLES}{role.pk}/change/", {"name": "editor", "description": "", "permissions": ["read:user"]})
    changed = Role.objects.get(name="editor").permissions
    browser.post(f"{ROLES}{role.pk}/delete/", {"post": "yes"})

    assert (role.permissions, changed) == (["read:resource"], ["read:user"])
    assert not Role.objects.filter(name="editor").exists()
    assert [event.type for event in events("role.*")] == ["role.created", "role.updated", "role.deleted"]


def test_a_role_in_use_is_not_deleted(admin: User, owner: User) -> None:
    Role.objects.filter(pk=owner.role_id).update(name="custom")
    browser = signed_in(admin)

    answer = browser.post(f"{ROLES}{owner.role_id}/delete/", {"post": "yes"})

    assert answer.status_code in {200, 302}
    assert Role.objects.filter(name="custom").exists()


def test_sessions_are_listed_and_ended(owner: User, moderator: User, events: Events) -> None:
    session = create_session(owner)
    browser = signed_in(moderator)

    found = browser.get(SESSIONS, {"q": owner.email, "state": "live"})
    told = act(browser, SESSIONS, "end", session)

    assert [row.pk for row in found.context["cl"].result_list] == [session.pk]
    assert told == ["1 sessions ended."]
    assert [event.payload for event in events("session.revoked")] == [{"reason": "ended_by_staff"}]


def test_a_moderator_does_not_end_an_administrators_session(admin: User, moderator: User) -> None:
    session = create_session(admin)

    told = act(signed_in(moderator), SESSIONS, "end", session)

    assert told[-1] == "0 sessions ended."
    assert Session.objects.live().filter(pk=session.pk).exists()
