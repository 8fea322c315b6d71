"""`create_role`, `assign_role`, `deactivate_user`, `revoke_sessions`, `unlock_user`: staff's acts from a shell."""

import os
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import Role, Session, SignInThrottle, User
from accounts.services import throttle
from accounts.tests.answers import ClientOf, kinds_sent_to, sign_in, tables
from accounts.tests.factories import PASSWORD, create_session, create_user
from accounts.tests.servers import _test_database_url
from core.tests.spine import Events

EACH = [("assign_role", "moderator"), ("deactivate_user",), ("revoke_sessions",), ("unlock_user",)]


def run(name: str, *arguments: str, **options: Any) -> tuple[str, str]:
    """Run the command; return what it printed and what it complained of."""
    out, err = StringIO(), StringIO()
    call_command(name, *arguments, stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


def lock(user: User) -> None:
    for _ in range(5):
        throttle.record_failure(throttle.throttle_key(email=user.email))
        throttle.record_failure(throttle.second_factor_key(user.pk))


# Roles -----------------------------------------------------------------------------------------


def test_a_role_is_created(db: None, events: Events) -> None:
    out, _ = run(
        "create_role", "editor", "write:resource", "read:resource", "--description", "Writes.", "--require-mfa"
    )

    role = Role.objects.get(name="editor")
    assert out == "Role editor created; it permits read:resource, write:resource.\n"
    assert (role.description, role.require_mfa) == ("Writes.", True)
    assert [(event.type, event.actor) for event in events()] == [("role.created", None)]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("user",), "There is a role of this name already."),
        (("editor", "fly"), "There is no permission 'fly'."),
        (("x" * 51,), "A name has 1 to 50 characters, a description 500 at most."),
    ],
    ids=["taken", "unknown", "long"],
)
def test_a_wrong_role_is_refused(db: None, arguments: tuple[str, ...], complaint: str) -> None:
    before = tables()

    with pytest.raises(CommandError, match=complaint):
        run("create_role", *arguments)

    assert tables() == before


def test_people_are_given_a_role_and_told(owner: User, stranger: User, moderator: User) -> None:
    out, _ = run("assign_role", "moderator", owner.email, stranger.email.upper(), moderator.email, "--no-input")

    assert out == "2 given the role, 1 unchanged, 0 failed.\n"
    assert {user.role_name for user in User.objects.select_related("role")} == {"moderator"}
    assert kinds_sent_to(owner.email) == ["account.role_changed"]


def test_a_role_that_does_not_exist_is_given_to_nobody(owner: User) -> None:
    with pytest.raises(CommandError, match=r"There is no role 'emperor'; there are: admin, moderator, user\."):
        run("assign_role", "emperor", owner.email)


def test_the_last_administrator_stays_and_the_others_are_done(admin: User, owner: User) -> None:
    err = StringIO()

    with pytest.raises(CommandError, match=r"1 disabled, 0 unchanged, 2 failed."):
        call_command("deactivate_user", admin.email, owner.email, "nobody@example.com", "--no-input", stderr=err)

    assert User.objects.get(pk=owner.pk).is_active is False
    assert User.objects.get(pk=admin.pk).is_active is True
    assert err.getvalue().splitlines() == [
        f"{admin.email}: There has to be an administrator who can sign in; this is the last one.",
        "nobody@example.com: there is no such user",
    ]


# Locking out, signing out, letting in ----------------------------------------------------------


def test_a_disabled_account_is_out_at_once(owner: User, client_of: ClientOf, events: Events) -> None:
    client = client_of(owner)

    out, _ = run("deactivate_user", owner.email)

    assert out == "1 disabled, 0 unchanged, 0 failed.\n"
    assert client.get("/api/v1/users/me").status_code == 401
    assert [event.type for event in events()] == ["user.updated", "session.revoked"]


def test_everyone_is_signed_out(owner: User, stranger: User, admin: User) -> None:
    for user in (owner, owner, stranger):
        create_session(user)

    out, _ = run("revoke_sessions", "--everyone", "--no-input")

    assert out == "2 signed out, 0 unchanged, 0 failed.\n"
    assert Session.objects.live().count() == 0


def test_who_was_locked_out_signs_in_again(owner: User, anonymous: Client, events: Events) -> None:
    lock(owner)
    before = sign_in(anonymous, owner.email).status_code

    out, _ = run("unlock_user", owner.email)

    assert (before, out) == (429, "1 unlocked, 0 unchanged, 0 failed.\n")
    assert SignInThrottle.objects.count() == 0
    (event,) = events("user.unlocked")
    assert event.payload == {"counts": 2}
    assert run("unlock_user", owner.email)[0] == "0 unlocked, 1 unchanged, 0 failed.\n"


def test_unlocking_leaves_other_people_s_failures(owner: User, stranger: User) -> None:
    lock(owner)
    lock(stranger)

    run("unlock_user", owner.email)

    assert SignInThrottle.objects.count() == 2


# What they share -------------------------------------------------------------------------------


@pytest.mark.parametrize("command", EACH, ids=lambda command: command[0])
def test_a_dry_run_says_who_and_changes_nothing(owner: User, stranger: User, command: tuple[str, ...]) -> None:
    create_session(owner)
    lock(owner)
    before, failures = tables(), SignInThrottle.objects.count()

    out, _ = run(*command, owner.email, "nobody@example.com", "--dry-run")

    assert f"{owner.email}: Olive Owner, user, enabled" in out
    assert "nobody@example.com: there is no such user" in out
    assert "Dry run: 1 of 2 would be" in out
    assert (tables(), SignInThrottle.objects.count()) == (before, failures)


@pytest.mark.parametrize("command", EACH, ids=lambda command: command[0])
def test_many_are_hit_only_after_a_yes(
    owner: User, stranger: User, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    create_session(owner)
    before = tables()
    monkeypatch.setattr("builtins.input", lambda question: "no")

    with pytest.raises(CommandError, match=r"Nothing was changed\."):
        run(*command, owner.email, stranger.email)

    assert tables() == before


def test_addresses_come_from_a_file(owner: User, stranger: User, tmp_path: Path) -> None:
    names = tmp_path / "people.txt"
    names.write_text(f"# who left\n{owner.email}  # Olive\n\n  {stranger.email.upper()}\n{owner.email}\n")

    out, _ = run("deactivate_user", "--file", str(names), "--no-input")

    assert out == "2 disabled, 0 unchanged, 0 failed.\n"


@pytest.mark.parametrize("arguments", [(), ("--file", "/nowhere/people.txt")], ids=["nobody", "no file"])
def test_nobody_named_is_a_refusal(db: None, arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match=r"Name somebody|No such file"):
        run("deactivate_user", *arguments)


@pytest.mark.django_db(transaction=True)
def test_the_exit_code_is_honest(transactional_db: None) -> None:
    user = create_user(email="leaver@example.com")

    def shell(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=settings.BASE_DIR,
            env={**os.environ, "DATABASE_URL": _test_database_url()},
            input="",
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        return done.returncode, done.stdout

    assert shell("deactivate_user", user.email, "nobody@example.com")[0] == 1
    assert User.objects.get().is_active is True
    assert shell("deactivate_user", user.email) == (0, "1 disabled, 0 unchanged, 0 failed.\n")
    assert shell("deactivate_user", "nobody@example.com")[0] == 1


def test_the_admin_unlocks_too(owner: User, moderator: User, anonymous: Client, browser_of: Any) -> None:
    browser = browser_of(moderator)
    lock(owner)

    browser.post("/admin/accounts/user/", {"action": "unlock", "_selected_action": [str(owner.pk)]})

    assert sign_in(anonymous, owner.email, PASSWORD).status_code == 200
