from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connection, transaction
from django.test import Client
from pytest_django import Settings

from core.tests.ports import free_port
from core.tests.spine import Drain
from notifications import services
from notifications.kinds import KINDS, UnknownKind
from notifications.models import Message
from notifications.tests.smtp import SmtpSink, html_of, text_of

LINK = "https://nook.example/verify-email?token=nk_secret_0123456789"


def test_a_message_arrives_once_with_text_and_html(drain: Callable[[], int], smtp_sink: SmtpSink) -> None:
    message = services.send("account.verify_email", address="ada@example.com", context={"link": LINK})

    assert smtp_sink.mails == []
    drain()

    (mail,) = smtp_sink.mails
    assert mail["To"] == "ada@example.com"
    assert mail["Subject"] == "Confirm your e-mail address"
    assert mail["Message-ID"] == message.message_id
    assert LINK in text_of(mail)
    assert f'href="{LINK}"' in html_of(mail)
    assert smtp_sink.token_sent_to("ada@example.com") == "nk_secret_0123456789"
    message.refresh_from_db()
    assert message.state == "sent"
    assert message.sent_at is not None
    (attempt,) = message.attempts.all()
    assert (attempt.number, attempt.outcome, attempt.answer) == (1, "sent", "250 OK queued")


def test_the_link_stands_whole_in_the_raw_mail(drain: Callable[[], int], smtp_sink: SmtpSink) -> None:
    link = f"https://nook.example/verify-email?token={'x' * 300}"
    services.send("account.verify_email", address="ada@example.com", context={"link": link})
    drain()

    assert link in smtp_sink.mails[0].as_string()


def test_address_and_name_are_the_users_own(
    owner: AbstractBaseUser, drain: Callable[[], int], smtp_sink: SmtpSink
) -> None:
    services.send("account.welcome", to=owner.pk)
    drain()

    (mail,) = smtp_sink.to("owner@example.com")
    assert text_of(mail).startswith("Hello Olive Owner,")


def test_registering_does_not_wait_for_the_mail_server(
    anonymous: Client, drain: Drain, smtp_sink: SmtpSink, settings: Settings
) -> None:
    settings.MAIL = {**smtp_sink.server, "port": free_port()}

    response = anonymous.post(
        "/api/v1/auth/register",
        {"email": "ada@example.com", "password": "correct-horse-battery-staple", "name": "Ada"},
    )

    assert response.status_code == 201
    drain()
    assert Message.objects.get().state == "queued"
    settings.MAIL = smtp_sink.server
    drain(ahead=timedelta(hours=1))
    assert len(smtp_sink.to("ada@example.com")) == 1


def test_a_message_goes_with_its_transaction(db: None, drain: Callable[[], int], smtp_sink: SmtpSink) -> None:
    with transaction.atomic():
        services.send("account.welcome", address="ada@example.com")
        transaction.set_rollback(True)

    assert drain() == 0
    assert not Message.objects.exists()
    assert smtp_sink.mails == []


def test_the_same_dedup_key_is_one_message(drain: Callable[[], int], smtp_sink: SmtpSink) -> None:
    first = services.send("account.welcome", address="ada@example.com", dedup_key="welcome:ada")
    again = services.send("account.welcome", address="ada@example.com", dedup_key="welcome:ada")
    drain()

    assert again.id == first.id
    assert len(smtp_sink.mails) == 1


def test_a_secret_cannot_be_read_in_the_table(db: None) -> None:
    message = services.send("account.verify_email", address="ada@example.com", context={"link": LINK})

    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(messages)::text FROM messages")
        (row,) = cursor.fetchone()
        cursor.execute("SELECT row_to_json(outbox)::text FROM outbox")
        (promise,) = cursor.fetchone()
    assert "secret" not in row
    assert "secret" not in promise
    assert str(message.id) in promise


def test_an_unknown_kind_and_wrong_variables_are_refused(db: None) -> None:
    with pytest.raises(UnknownKind):
        services.send("account.nothing", address="ada@example.com")
    with pytest.raises(ValueError, match=r"account\.verify_email lacks link"):
        services.send("account.verify_email", address="ada@example.com")
    with pytest.raises(ValueError, match=r"account\.welcome has no variable token"):
        services.send("account.welcome", address="ada@example.com", context={"token": "x"})

    assert not Message.objects.exists()


def test_every_kind_has_its_three_templates_and_fills_them(drain: Callable[[], int], smtp_sink: SmtpSink) -> None:
    mailed = [kind for kind in KINDS.values() if kind.channel == "email"]
    for kind in mailed:
        variables = {name: f"value-of-{name}" for name in kind.required | kind.optional}
        services.send(kind.code, address=f"{kind.code}@example.com", context=variables)
    drain()

    for kind in mailed:
        (mail,) = smtp_sink.to(f"{kind.code}@example.com")
        for name in kind.required | kind.optional:
            assert f"value-of-{name}" in text_of(mail), (kind.code, name)
            assert f"value-of-{name}" in html_of(mail), (kind.code, name)
