"""Wordings in the admin: written, previewed, tried out on oneself, restored; by the role admin alone."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from core.permissions import SYSTEM
from core.tests.spine import Drain, Events
from notifications.kinds import KINDS, Kind
from notifications.models import Message, MessageTemplate
from notifications.services.message_templates import NewTemplate, create_template
from notifications.tests.smtp import SmtpSink, text_of

BrowserOf = Callable[[Any], Client]
LIST = "/admin/notifications/messagetemplate/"
CHECK = f"{LIST}check/"

pytestmark = pytest.mark.django_db


def write(
    kind: str = "account.welcome", channel: str = "email", *, subject: str = "Servus", text: str = "Hi", **parts: Any
) -> MessageTemplate:
    return create_template(actor=SYSTEM, new=NewTemplate(kind, channel, subject=subject, text=text, **parts))


def test_a_test_goes_to_oneself_with_samples_even_while_it_is_off(
    admin: Any, browser_of: BrowserOf, drain: Drain, smtp_sink: SmtpSink, events: Events
) -> None:
    row = write("account.password_reset", subject="Reset", text="{{ name }}: {{ link }}", is_active=False)

    page = browser_of(admin).post(f"{LIST}{row.pk}/try/", follow=True).content.decode()
    drain()

    assert f"Sent to {admin.email}." in page
    (mail,) = smtp_sink.to(admin.email)
    assert mail["Subject"] == "[Test] Reset"
    assert text_of(mail).startswith(f"{admin.name}: http")
    assert events("message_template.tried")[0].actor == admin.pk
    code = write("account.phone_code", "sms", subject="", text="{{ code }}")
    assert (
        "You have no confirmed phone" in browser_of(admin).post(f"{LIST}{code.pk}/try/", follow=True).content.decode()
    )
    assert Message.objects.count() == 1


def fields(row: MessageTemplate | None = None, **values: Any) -> dict[str, Any]:
    """Return a form that a browser would send."""
    if row is None:
        return {"kind": "account.welcome", "channel": "email", "locale": "", "is_active": "on", "html": "", **values}
    kept = {name: getattr(row, name) for name in ("subject", "text", "html")}
    return {**kept, "is_active": "on", "seen_version": row.version, **values}


def test_staff_write_change_restore_and_delete_in_the_admin(admin: Any, browser_of: BrowserOf, events: Events) -> None:
    browser = browser_of(admin)

    assert browser.post(f"{LIST}add/", fields(subject="Servus", text="Hi {{ name }}\r\nyou")).status_code == 302
    row = MessageTemplate.objects.get()
    assert row.text == "Hi {{ name }}\nyou"
    assert browser.post(f"{LIST}{row.pk}/change/", fields(row, subject="Hallo")).status_code == 302
    stale = browser.post(f"{LIST}{row.pk}/change/", fields(row, subject="Lost"), follow=True)
    assert "This was changed in the meantime" in stale.content.decode()
    page = browser.get(f"{LIST}{row.pk}/change/").content.decode()
    assert (admin.email in page, "Restore" in page, "Hallo" in page) == (True, True, True)
    restored = browser.post(f"{LIST}{row.pk}/restore/", {"number": "1"}, follow=True)
    assert "Version 1 stands again, as version 3." in restored.content.decode()
    assert browser.get(f"{LIST}{row.pk}/restore/").status_code == 405
    row.refresh_from_db()
    assert (row.subject, row.version) == ("Servus", 3)
    assert browser.post(f"{LIST}{row.pk}/delete/", {"post": "yes"}).status_code == 302
    assert [event.type.partition(".")[2] for event in events("message_template.*")] == [
        *("created", "updated", "restored", "deleted")
    ]


def test_a_refused_form_keeps_what_was_typed_and_says_why(admin: Any, browser_of: BrowserOf, events: Events) -> None:
    page = browser_of(admin).post(f"{LIST}add/", fields(subject="Hi", text="typed {{ nme }}")).content.decode()

    assert "there is no variable nme" in page
    assert "typed {{ nme }}" in page
    assert (MessageTemplate.objects.count(), events("message_template.*")) == (0, [])


def test_a_moderator_reaches_none_of_it(moderator: Any, browser_of: BrowserOf) -> None:
    row = write()
    browser = browser_of(moderator)

    assert browser.get(LIST).status_code == 403
    assert browser.post(CHECK, fields()).status_code == 403
    assert browser.post(f"{LIST}{row.pk}/try/").status_code == 403
    assert browser.post(f"{LIST}{row.pk}/restore/", {"number": "1"}).status_code == 403
    assert Message.objects.count() == 0


def test_the_preview_shows_the_wording_beside_the_file_and_writes_nothing(admin: Any, browser_of: BrowserOf) -> None:
    browser = browser_of(admin)

    said = browser.post(CHECK, fields(subject="Hi {{ name }}", text="{{ site_name }}", html="<p>{{ name }}</p>")).json()
    wrong = browser.post(CHECK, fields(subject="Hi", text="{{ nme }}")).json()

    assert (said["faults"], said["preview"]["subject"]) == ([], "Hi Olive Owner")
    assert "<p>Olive Owner</p>" in said["preview"]["html"]
    assert said["file"]["subject"].startswith("Welcome")
    assert said["variables"] == ["address", "name", "public_url", "site_name", "unsubscribe_url"]
    assert [fault["path"] for fault in wrong["faults"]] == ["text"]
    assert (wrong["preview"], MessageTemplate.objects.count()) == (None, 0)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.code)
def test_every_kind_has_a_preview_of_what_its_files_say(kind: Kind, admin: Any, browser_of: BrowserOf) -> None:
    channel = "sms" if kind.channel == "sms" else "email"

    said = browser_of(admin).post(CHECK, {"kind": kind.code, "channel": channel}).json()

    assert said["file"]["text"]
    assert said["variables"]
