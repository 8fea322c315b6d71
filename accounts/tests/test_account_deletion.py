"""DELETE /profile, POST /auth/restore-account, and what the schedule and operators do to deleted accounts."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import ApiToken, Session, SingleUseToken, User
from accounts.services.erasing import erase_account, erase_due_accounts
from accounts.services.own_account import delete_own_account
from accounts.services.threats import RULES, Finding, report
from accounts.tests.answers import SESSION_REVOKED, ClientOf, bearer, error_of, sign_in, tables, variables_of
from accounts.tests.factories import PASSWORD, access_token_of, create_session, create_user, start_stay
from accounts.tests.user_answers import LAST_ADMIN
from core.errors import SessionRevoked
from core.models import IdempotencyKey
from core.permissions import SYSTEM, Caller
from core.tests.spine import Drain, Events
from notifications.models import Message, Notification
from notifications.tests.smtp import SmtpSink

PROFILE = "/api/v1/profile"
RESTORE = "/api/v1/auth/restore-account"


def let_grace_end(user: User) -> None:
    User.all_objects.filter(pk=user.pk).update(erase_at=datetime.now(UTC) - timedelta(seconds=1))


def delete(user: User, client_of: ClientOf) -> None:
    assert client_of(user).delete(PROFILE).status_code == 204


def link_sent_to(user: User, drain: Drain, smtp_sink: SmtpSink) -> str:
    drain()
    return smtp_sink.token_sent_to(user.email)


# Nothing stays -----------------------------------------------------------------------------------


def test_what_staff_were_told_of_the_person_goes_too(owner: User, admin: User, drain: Drain) -> None:
    for number in range(5):
        sign_in(Client(REMOTE_ADDR=f"10.81.0.{number + 1}"), owner.email, "wrong-password")
    drain()
    alert = Message.objects.get(kind="ops.alert", recipient=admin)
    other = report(RULES["passkey_copy"], Finding(admin.pk, "About somebody else."), seen_at=datetime.now(UTC))
    assert owner.email in str(variables_of(alert))
    assert other is not None

    erase_account(actor=SYSTEM, user_id=owner.pk, even_in_use=True)

    kept = Notification.objects.filter(kind="ops.alert")
    assert list(kept.values_list("dedup_key", flat=True)) == [f"threat:{other.pk}:staff"]
    assert list(Message.objects.filter(kind="ops.alert")) == list(Message.objects.filter(notification__in=kept))


def test_answers_kept_for_who_acted_in_their_place_go_too(owner: User, admin: User) -> None:
    client = Client(headers=bearer(start_stay(admin, owner).access_token))
    body, key = {"name": "Theirs"}, {"Idempotency-Key": "k-1"}
    kept = client.post("/api/v1/resources", body, "application/json", headers=key)
    assert (kept.status_code, IdempotencyKey.objects.count()) == (201, 1)

    erase_account(actor=SYSTEM, user_id=owner.pk, even_in_use=True)

    assert IdempotencyKey.objects.count() == 0


# Leaving ---------------------------------------------------------------------------------------


def test_another_version_is_a_failed_precondition(owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)
    before = tables()

    answer = client.delete(PROFILE, headers={"If-Match": '"2"'})

    assert answer.status_code == 412
    assert tables() == before
    assert client.delete(PROFILE, headers={"If-Match": '"1"'}).status_code == 204


def test_an_account_that_has_gone_a_moment_ago_is_not_deleted_again(owner: User) -> None:
    actor = Caller(owner.pk, authenticated_at=datetime.now(UTC))
    delete_own_account(actor=actor)

    with pytest.raises(SessionRevoked):
        delete_own_account(actor=actor)


def test_who_deletes_their_account_is_gone_at_once(
    owner: User, anonymous: Client, client_of: ClientOf, events: Events
) -> None:
    client, elsewhere = client_of(owner), client_of(owner)

    answer = client.delete(PROFILE)

    assert (answer.status_code, answer.content) == (204, b"")
    assert error_of(elsewhere.get(PROFILE)) == SESSION_REVOKED
    unknown = sign_in(anonymous, "nobody@example.com")
    assert (sign_in(anonymous, owner.email).status_code, sign_in(anonymous, owner.email).json()["error"]["code"]) == (
        unknown.status_code,
        unknown.json()["error"]["code"],
    )
    assert not Session.objects.live().exists()
    assert not ApiToken.objects.filter(revoked_at=None).exists()
    gone = User.all_objects.get(pk=owner.pk)
    assert gone.erase_at is not None
    assert gone.deleted_at is not None
    assert gone.erase_at - gone.deleted_at == timedelta(days=30)
    assert events("user.deleted")[0].actor == owner.pk


def test_an_old_sign_in_deletes_nothing(owner: User) -> None:
    session = create_session(owner, authenticated_at=datetime.now(UTC) - timedelta(minutes=11))
    before = tables()

    answer = Client().delete(PROFILE, headers=bearer(access_token_of(session)))

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "REAUTHENTICATION_REQUIRED")
    assert tables() == before
    assert not Message.objects.exists()


def test_the_last_administrator_does_not_leave(admin: User, client_of: ClientOf) -> None:
    client = client_of(admin)
    before = tables()

    answer = client.delete(PROFILE)

    assert error_of(answer) == LAST_ADMIN
    assert tables() == before
    assert not Message.objects.exists()


# Coming back -----------------------------------------------------------------------------------


def test_the_mailed_link_brings_the_account_back_once(
    owner: User, anonymous: Client, client_of: ClientOf, drain: Drain, smtp_sink: SmtpSink
) -> None:
    delete(owner, client_of)
    token = link_sent_to(owner, drain, smtp_sink)

    restored = anonymous.post(RESTORE, {"token": token})
    again = anonymous.post(RESTORE, {"token": token})

    assert (restored.status_code, restored.json()["data"]) == (200, {"email": owner.email})
    assert again.json()["error"]["details"][0]["code"] == "invalid_token"
    assert sign_in(anonymous, owner.email).status_code == 200
    assert User.objects.get(pk=owner.pk).erase_at is None


def test_the_page_of_the_link_brings_the_account_back(
    owner: User, client_of: ClientOf, drain: Drain, smtp_sink: SmtpSink
) -> None:
    delete(owner, client_of)
    token = link_sent_to(owner, drain, smtp_sink)
    browser = Client()

    asked = browser.get("/restore-account", {"token": token})
    done = browser.post("/restore-account", {"token": token})

    assert "Keep my account" in asked.content.decode()
    assert "Your account is back" in done.content.decode()
    assert User.objects.filter(pk=owner.pk).exists()


def test_the_link_ends_with_the_grace_with_a_restore_and_with_another_deletion(
    owner: User, anonymous: Client, client_of: ClientOf, drain: Drain, smtp_sink: SmtpSink
) -> None:
    delete(owner, client_of)
    first = link_sent_to(owner, drain, smtp_sink)
    anonymous.post(RESTORE, {"token": first})
    delete(owner, client_of)
    second = link_sent_to(owner, drain, smtp_sink)
    let_grace_end(owner)

    answers = [anonymous.post(RESTORE, {"token": token}) for token in (first, second)]

    assert [answer.json()["error"]["details"][0]["code"] for answer in answers] == ["invalid_token"] * 2
    assert not User.objects.filter(pk=owner.pk).exists()


def test_an_address_that_has_a_confirmed_account_again_keeps_it(
    owner: User, anonymous: Client, client_of: ClientOf, drain: Drain, smtp_sink: SmtpSink
) -> None:
    delete(owner, client_of)
    token = link_sent_to(owner, drain, smtp_sink)
    create_user(email=owner.email)
    before = tables()

    answer = anonymous.post(RESTORE, {"token": token})

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "CONFLICT")
    assert tables() == before


def test_an_account_that_nobody_confirmed_does_not_keep_the_owner_out(
    owner: User, anonymous: Client, client_of: ClientOf, drain: Drain, smtp_sink: SmtpSink
) -> None:
    delete(owner, client_of)
    token = link_sent_to(owner, drain, smtp_sink)
    anonymous.post("/api/v1/auth/register", {"email": owner.email, "password": PASSWORD + "!", "name": "Squatter"})
    drain()

    assert anonymous.post(RESTORE, {"token": token}).status_code == 200

    assert User.objects.get(email=owner.email).pk == owner.pk


# The end ---------------------------------------------------------------------------------------


def test_the_schedule_erases_whose_grace_is_over_and_nobody_else(
    owner: User, stranger: User, moderator: User, client_of: ClientOf, events: Events
) -> None:
    delete(owner, client_of)
    delete(stranger, client_of)
    let_grace_end(owner)

    assert erase_due_accounts() == 1
    assert erase_due_accounts() == 0

    erased = User.all_objects.get(pk=owner.pk)
    assert (erased.email, erased.name) == (f"deleted-{owner.pk}@deleted.invalid", "Deleted user")
    assert not erased.has_usable_password()
    assert erased.anonymised_at is not None
    assert not Session.objects.filter(user=owner).exists()
    assert not SingleUseToken.objects.filter(user=owner).exists()
    assert not Message.objects.filter(recipient=owner).exists()
    assert User.all_objects.get(pk=stranger.pk).email == stranger.email
    (anonymised,) = events("user.anonymised")
    assert anonymised.payload["rows"]["users"] == 1
    assert owner.email not in str([event.payload for event in events()])


def test_an_erased_account_does_not_come_back(owner: User, admin: User, client_of: ClientOf) -> None:
    delete(owner, client_of)
    let_grace_end(owner)
    erase_due_accounts()

    answer = client_of(admin).post(f"/api/v1/users/{owner.pk}/restore")

    assert answer.status_code == 404


def test_who_registered_with_the_address_since_keeps_their_messages(owner: User, client_of: ClientOf) -> None:
    delete(owner, client_of)
    newcomer = create_user(email=owner.email)
    kept = Message.objects.create(
        kind="account.welcome", recipient=newcomer, address=newcomer.email, context={}, message_id="<1@x>"
    )
    let_grace_end(owner)

    erase_due_accounts()

    assert Message.objects.filter(pk=kept.pk).exists()
    assert User.objects.get(pk=newcomer.pk).email == owner.email


def test_staff_deletion_tells_the_person_and_follows_the_same_clock(
    owner: User, admin: User, client_of: ClientOf, drain: Drain, smtp_sink: SmtpSink
) -> None:
    client_of(admin).delete(f"/api/v1/users/{owner.pk}")
    drain()

    assert [mail["Subject"] for mail in smtp_sink.mails] == ["Your account was deleted"]
    let_grace_end(owner)
    assert erase_due_accounts() == 1


# Operators -------------------------------------------------------------------------------------


def run(*arguments: str) -> str:
    printed = StringIO()
    call_command("erase_user", *arguments, stdout=printed)
    return printed.getvalue()


def test_the_command_counts_first_and_erases_when_told(owner: User, client_of: ClientOf) -> None:
    create_session(owner)
    before = tables()

    counted = run(owner.email)

    assert "sessions: 1\n" in counted
    assert f"Would erase {owner.pk}: " in counted
    assert tables() == before

    assert f"Erased {owner.pk}: " in run(str(owner.pk), "--now")
    assert User.all_objects.get(pk=owner.pk).name == "Deleted user"
    with pytest.raises(CommandError, match="There is no such account, or it was erased already"):
        run(owner.email)


def test_the_command_does_not_guess_between_two_accounts(owner: User, client_of: ClientOf) -> None:
    delete(owner, client_of)
    create_user(email=owner.email)

    with pytest.raises(CommandError, match="2 accounts had this address; give an id"):
        run(owner.email, "--now")


def test_the_last_administrator_is_not_erased(admin: User) -> None:
    before = tables()

    with pytest.raises(CommandError, match="this is the last one"):
        run(admin.email, "--now")

    assert tables() == before


def test_an_administrator_erases_a_deleted_person_from_the_admin(
    owner: User, stranger: User, admin: User, client_of: ClientOf, browser_of: object
) -> None:
    delete(owner, client_of)
    browser = browser_of(admin)  # type: ignore[operator]  # the fixture's own type is of config

    chosen = {"action": "erase_now", "_selected_action": [str(owner.pk), str(stranger.pk)]}
    page = browser.post("/admin/accounts/user/", chosen, follow=True).content.decode()

    assert "1 users erased." in page
    assert "Delete the account first." in page
    assert User.all_objects.get(pk=owner.pk).name == "Deleted user"
    assert User.objects.get(pk=stranger.pk).name == stranger.name
