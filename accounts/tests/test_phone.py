"""The telephone number of a profile, and the code that proves it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from pytest_django import Settings

from accounts.models import PhoneCode, User
from accounts.personal_data import erase
from accounts.services.phones import PER_DAY, purge_phone_codes
from accounts.tests.answers import (
    INVALID_CREDENTIALS,
    NOT_AUTHENTICATED,
    ClientOf,
    bearer,
    error_of,
    invalid,
    kinds_sent_to,
    refusal,
    tables,
)
from accounts.tests.factories import access_token_of, create_session
from accounts.tests.test_races import at_once
from core.personal_data import Erasure
from core.tests.spine import Drain, Events
from notifications.models import Message
from notifications.tests.smtp import SmtpSink, text_of
from notifications.tests.twilio import SmsSink, refused

PROFILE = "/api/v1/profile"
CONFIRM = f"{PROFILE}/phone/confirm"
RESEND = f"{PROFILE}/phone/resend"
NUMBER, OTHER = "+436641234567", "+491711234567"


@pytest.fixture(autouse=True)
def _patience(settings: Settings) -> None:
    settings.RATE_LIMIT_SCALE = 1000


def give(client: Client, number: str | None = NUMBER) -> Any:
    return client.patch(PROFILE, {"phone": number})


def confirm(client: Client, code: str) -> Any:
    return client.post(CONFIRM, {"code": code})


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


def phone_of(answer: Any) -> tuple[str | None, bool]:
    data = answer.json()["data"]
    return data["phone"], data["phone_verified"]


def state() -> dict[str, Any]:
    return tables() | {"codes": list(PhoneCode.objects.order_by("pk").values())}


def test_a_number_is_proved_by_the_code_that_was_texted_to_it(
    owner: User, client_of: ClientOf, drain: Drain, sms_sink: SmsSink, events: Events
) -> None:
    client = client_of(owner)

    given = give(client, "+43 664 1234567")
    drain()
    proved = confirm(client, sms_sink.code_sent_to(NUMBER))

    assert (given.status_code, phone_of(given)) == (200, (NUMBER, False))
    assert (proved.status_code, phone_of(proved), proved["ETag"]) == (200, (NUMBER, True), '"3"')
    assert phone_of(client.get(PROFILE)) == (NUMBER, True)
    assert events("user.phone_changed")[0].payload == {"before": {"phone": False}, "after": {"phone": True}}
    assert events("user.phone_verified")[0].subject_id == str(owner.pk)
    assert "valid" not in sms_sink.to(NUMBER)[0]
    assert "It serves for 10 minutes." in sms_sink.to(NUMBER)[0]


def test_the_owner_is_told_by_mail(
    owner: User, client_of: ClientOf, drain: Drain, smtp_sink: SmtpSink, sms_sink: SmsSink
) -> None:
    client = client_of(owner)
    give(client)
    give(client, None)
    drain()

    given, taken = smtp_sink.to(owner.email)
    assert kinds_sent_to(owner.email) == ["account.phone_changed"] * 2
    assert "has the telephone number +43•••567 now" in text_of(given)
    assert NUMBER not in text_of(given)
    assert "has no telephone number any more" in text_of(taken)


def test_another_number_is_to_be_proved_anew(owner: User, client_of: ClientOf, drain: Drain, sms_sink: SmsSink) -> None:
    client = client_of(owner)
    give(client)
    drain()
    confirm(client, sms_sink.code_sent_to(NUMBER))

    moved = give(client, OTHER)
    drain()

    assert phone_of(moved) == (OTHER, False)
    assert error_of(confirm(client, sms_sink.code_sent_to(NUMBER))) == INVALID_CREDENTIALS
    assert phone_of(confirm(client, sms_sink.code_sent_to(OTHER))) == (OTHER, True)


def test_the_same_number_again_changes_nothing(
    owner: User, client_of: ClientOf, drain: Drain, sms_sink: SmsSink
) -> None:
    client = client_of(owner)
    give(client)
    drain()
    confirm(client, sms_sink.code_sent_to(NUMBER))
    before = state()

    read = client.get(PROFILE).json()["data"]
    assert phone_of(client.put(PROFILE, read)) == (NUMBER, True)
    assert phone_of(client.put(PROFILE, {"name": owner.name})) == (NUMBER, True)

    assert state() == before


def test_it_needs_a_recent_sign_in(owner: User, sms_sink: SmsSink) -> None:
    session = create_session(owner, authenticated_at=datetime.now(UTC) - timedelta(minutes=11))
    client = Client(headers=bearer(access_token_of(session)))
    before = state()

    answer = client.patch(PROFILE, {"phone": NUMBER, "name": "Changed"}, "application/json")

    assert error_of(answer) == refusal(403, "REAUTHENTICATION_REQUIRED", "Confirm that it is you: sign in again.")
    assert state() == before


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("0664 1234567", "invalid_phone"),
        ("+43", "invalid_phone"),
        ("+999 1234567", "invalid_phone"),
        ("+43 664 1234567 ext. 5", "invalid_phone"),
        ("call me", "invalid_phone"),
        ("+43 1 5880058800", "not_a_mobile"),
        ("+43 900 123456", "not_a_mobile"),
        ("+49 171 1234567", "country_not_served"),
    ],
)
def test_an_unusable_number_is_refused(
    owner: User, client_of: ClientOf, sms_sink: SmsSink, settings: Settings, number: str, code: str
) -> None:
    settings.SMS_ALLOWED_PREFIXES = ["+43"]
    client = client_of(owner)
    before = state()

    answer = give(client, number)

    (detail,) = error_of(answer)["details"]
    assert (answer.status_code, detail["field"], detail["code"]) == (400, "phone", code)
    assert state() == before


def test_without_a_provider_a_number_is_refused_and_one_that_is_there_can_go(
    owner: User, client_of: ClientOf, settings: Settings
) -> None:
    settings.SMS = {}
    User.objects.filter(pk=owner.pk).update(phone=OTHER)
    client = client_of(owner)
    before = state()

    refused_one = give(client)
    unchanged = state() == before
    removed = give(client, None)

    assert error_of(refused_one) == invalid(("phone", "sms_not_configured", "This server sends no text messages."))
    assert unchanged
    assert phone_of(removed) == (None, False)


def test_five_tries_are_all(owner: User, client_of: ClientOf, drain: Drain, sms_sink: SmsSink) -> None:
    client = client_of(owner)
    give(client)
    drain()
    code = sms_sink.code_sent_to(NUMBER)

    answers = [confirm(client, wrong(code)) for _ in range(5)]

    assert [error_of(answer) for answer in answers] == [INVALID_CREDENTIALS] * 5
    assert error_of(confirm(client, code)) == INVALID_CREDENTIALS
    assert phone_of(client.get(PROFILE)) == (NUMBER, False)


def test_the_fifth_try_may_be_the_right_one(owner: User, client_of: ClientOf, drain: Drain, sms_sink: SmsSink) -> None:
    client = client_of(owner)
    give(client)
    drain()
    code = sms_sink.code_sent_to(NUMBER)
    for _ in range(4):
        confirm(client, wrong(code))

    assert confirm(client, code).status_code == 200


def test_a_code_serves_once_and_ten_minutes(owner: User, client_of: ClientOf, drain: Drain, sms_sink: SmsSink) -> None:
    client = client_of(owner)
    give(client)
    drain()
    code = sms_sink.code_sent_to(NUMBER)
    PhoneCode.objects.update(expires_at=datetime.now(UTC))
    too_late = confirm(client, code)
    PhoneCode.objects.update(expires_at=datetime.now(UTC) + timedelta(minutes=1))
    first, second = confirm(client, code), confirm(client, code)

    assert error_of(too_late) == error_of(second) == INVALID_CREDENTIALS
    assert first.status_code == 200


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_proves_it_and_no_guess_is_free(
    owner: User, client_of: ClientOf, drain: Drain, sms_sink: SmsSink
) -> None:
    token = access_token_of(create_session(owner))
    give(client_of(owner))
    drain()
    code = sms_sink.code_sent_to(NUMBER)

    def send(guess: str, index: int) -> int:
        client = Client(REMOTE_ADDR=f"10.41.0.{index + 1}", headers=bearer(token))
        return client.post(CONFIRM, {"code": guess}, "application/json").status_code

    right = at_once(8, lambda index: send(code, index))
    client_of(owner).patch(PROFILE, {"phone": OTHER})
    drain()
    guesses = at_once(12, lambda index: send(wrong(sms_sink.code_sent_to(OTHER)), index))

    assert sorted(right) == [200] + [401] * 7
    assert guesses == [401] * 12
    assert PhoneCode.objects.get().tries_left == 0


def test_a_code_that_is_sent_again_voids_the_one_before(
    owner: User, client_of: ClientOf, drain: Drain, sms_sink: SmsSink
) -> None:
    client = client_of(owner)
    give(client)
    answer = client.post(RESEND)
    drain()
    first, second = (text[:6] for text in sms_sink.to(NUMBER))

    assert answer.status_code == 202
    assert first == second or error_of(confirm(client, first)) == INVALID_CREDENTIALS
    assert confirm(client, second).status_code == 200


def test_where_nothing_waits_nothing_is_sent(owner: User, client_of: ClientOf, drain: Drain, sms_sink: SmsSink) -> None:
    client = client_of(owner)
    without = client.post(RESEND)
    give(client)
    drain()
    confirm(client, sms_sink.code_sent_to(NUMBER))
    before = state()

    proved = client.post(RESEND)

    expected = refusal(409, "CONFLICT", "There is no telephone number that waits for a code.")
    assert error_of(without) == error_of(proved) == expected
    assert (state(), len(sms_sink.texts)) == (before, 1)


def test_nobody_is_texted_again_and_again(
    owner: User, client_of: ClientOf, settings: Settings, sms_sink: SmsSink
) -> None:
    settings.RATE_LIMIT_SCALE = 1
    client = client_of(owner)

    answers = [give(client), *(client.post(RESEND) for _ in range(3))]

    assert [answer.status_code for answer in answers] == [200, 202, 202, 429]
    assert int(answers[-1]["Retry-After"]) > 200
    assert Message.objects.filter(channel="sms").count() == 3


def test_a_number_has_its_share_whoever_gives_it(
    owner: User, stranger: User, client_of: ClientOf, settings: Settings, sms_sink: SmsSink
) -> None:
    settings.RATE_LIMIT_SCALE = 1
    first = client_of(owner)
    given = [give(first), first.post(RESEND), first.post(RESEND)]

    answer = give(client_of(stranger))

    assert [sent.status_code for sent in given] == [200, 202, 202]
    assert answer.status_code == 429
    assert User.objects.get(pk=stranger.pk).phone is None


def test_ten_in_a_day_are_all(owner: User, stranger: User, client_of: ClientOf, sms_sink: SmsSink) -> None:
    client = client_of(owner)
    give(client)
    answers = [client.post(RESEND).status_code for _ in range(PER_DAY)]
    same_number = give(client_of(stranger))
    Message.objects.update(created_at=datetime.now(UTC) - timedelta(hours=25))

    assert answers == [202] * (PER_DAY - 1) + [429]
    assert same_number.status_code == 429
    assert client.post(RESEND).status_code == 202


def test_the_installation_has_its_limit_too(
    owner: User, stranger: User, client_of: ClientOf, settings: Settings, sms_sink: SmsSink
) -> None:
    settings.SMS_DAILY_LIMIT = 1
    give(client_of(owner))
    theirs = client_of(stranger)
    before = state()

    answer = give(theirs, OTHER)

    assert (answer.status_code, answer["Retry-After"], state()) == (503, "5", before)


def test_a_number_that_the_provider_refuses_stays_unproved(
    owner: User, client_of: ClientOf, drain: Drain, sms_sink: SmsSink
) -> None:
    sms_sink.answers.append(refused(400, 21614, "'To' number is not a valid mobile number"))
    client = client_of(owner)
    give(client)
    drain()

    assert phone_of(client.get(PROFILE)) == (NUMBER, False)
    assert Message.objects.get(channel="sms").state == "failed"


def test_two_people_may_have_the_same_number(
    owner: User, stranger: User, client_of: ClientOf, sms_sink: SmsSink
) -> None:
    assert phone_of(give(client_of(owner))) == phone_of(give(client_of(stranger))) == (NUMBER, False)


def test_the_code_is_kept_as_a_digest(owner: User, client_of: ClientOf, drain: Drain, sms_sink: SmsSink) -> None:
    give(client_of(owner))
    drain()

    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(phone_codes)::text FROM phone_codes")
        (row,) = cursor.fetchone()
    assert f'"{sms_sink.code_sent_to(NUMBER)}"' not in row
    assert len(PhoneCode.objects.get().digest) == 64


def test_a_refused_number_takes_the_other_changes_with_it(owner: User, client_of: ClientOf, sms_sink: SmsSink) -> None:
    client = client_of(owner)
    before = state()

    answer = client.patch(PROFILE, {"name": "Changed", "phone": "nonsense"})

    assert (answer.status_code, state()) == (400, before)


def test_the_database_holds_what_a_number_is(owner: User) -> None:
    for values, constraint in (
        ({"phone": "0664"}, "ck_users_phone"),
        ({"phone": None, "phone_verified": True}, "ck_users_phone_verified"),
    ):
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            User.objects.filter(pk=owner.pk).update(**values)


def test_old_codes_are_removed_and_erasure_leaves_no_number(
    owner: User, client_of: ClientOf, sms_sink: SmsSink
) -> None:
    give(client_of(owner))
    kept = purge_phone_codes()
    PhoneCode.objects.update(expires_at=datetime.now(UTC) - timedelta(minutes=1))
    removed = purge_phone_codes()
    give(client_of(owner), OTHER)
    User.objects.filter(pk=owner.pk).update(deleted_at=datetime.now(UTC))
    with transaction.atomic():
        erase(Erasure(owner.pk))

    assert (kept, removed) == (0, 1)
    assert list(User.all_objects.filter(pk=owner.pk).values_list("phone", "phone_verified")) == [(None, False)]
    assert not PhoneCode.objects.exists()


def test_it_is_for_those_who_are_signed_in(db: None, anonymous: Client) -> None:
    answers = [confirm(anonymous, "123456"), anonymous.post(RESEND)]

    assert [error_of(answer) for answer in answers] == [NOT_AUTHENTICATED] * 2
