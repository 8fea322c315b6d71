"""How people want to be told: read, changed whole, obeyed; and switched off by the link at the end of a mail."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from pytest_django import Settings

from core.tests.spine import Drain
from notifications.models import Message, Notification, NotificationPreferences
from notifications.services import News, notify
from notifications.tests.smtp import SmtpSink, text_of

ClientOf = Callable[[Any], Client]
PATH = "/api/v1/notifications/preferences"
SHARED = {"giver": "Olive Owner", "resource": "March", "access": "viewer"}
NIGHT = {"start": "22:00", "end": "07:00", "time_zone": "Europe/Berlin"}

pytestmark = pytest.mark.django_db


def test_who_never_chose_has_the_defaults(owner: Any, client_of: ClientOf) -> None:
    response = client_of(owner).get(PATH)

    shown = response.json()["data"]
    assert (response["ETag"], shown["quiet_hours"], shown["digest"]) == ('"0"', None, "off")
    assert shown["matrix"]["resource.shared"] == {"in_app": True, "email": True, "push": True}
    assert shown["matrix"]["account.password_reset"] == {"email": True}
    locked = {row["kind"] for row in shown["kinds"] if row["locked"]}
    assert "account.password_changed" in locked
    assert "resource.shared" not in locked
    assert not NotificationPreferences.objects.exists()


def test_what_is_read_can_be_changed_and_sent_back_whole(owner: Any, client_of: ClientOf) -> None:
    client = client_of(owner)
    shown = client.get(PATH).json()["data"]
    shown["matrix"]["resource.shared"]["email"] = False
    shown |= {"quiet_hours": NIGHT, "digest": "daily"}

    saved = client.put(PATH, shown, headers={"If-Match": '"0"'})

    assert (saved.status_code, saved["ETag"]) == (200, '"1"')
    assert saved.json()["data"] == shown == client.get(PATH).json()["data"]
    assert NotificationPreferences.objects.get().choices == {"resource.shared": {"email": False}}
    assert client.get(PATH, headers={"If-None-Match": '"1"'}).status_code == 304
    assert client.put(PATH, {}, headers={"If-Match": '"0"'}).status_code == 412
    assert client.put(PATH, {}).json()["data"]["digest"] == "off"


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"matrix": {"account.password_changed": {"email": False}}}, "matrix.account.password_changed.email", "locked"),
        ({"matrix": {"nothing": {"email": True}}}, "matrix.nothing", "unknown"),
        ({"matrix": {"resource.shared": {"pigeon": True}}}, "matrix.resource.shared.pigeon", "unknown"),
        ({"matrix": {"resource.shared": {"email": "no"}}}, "matrix.resource.shared.email", "invalid"),
        ({"matrix": {"resource.shared": {"email": 0}}}, "matrix.resource.shared.email", "invalid"),
        ({"digest": "yearly"}, "digest", "invalid_choice"),
        ({"quiet_hours": {**NIGHT, "time_zone": "Mars/Olympus"}}, "quiet_hours.time_zone", "unknown_time_zone"),
        ({"quiet_hours": {**NIGHT, "end": "22:00"}}, "quiet_hours.end", "empty"),
        ({"quiet_hours": {"start": "25:00", "end": "07:00"}}, "quiet_hours.start", "invalid"),
        ({"colour": "red"}, "colour", "unknown_field"),
    ],
)
def test_wrong_preferences_are_refused_and_change_nothing(
    owner: Any, client_of: ClientOf, body: dict[str, Any], field: str, code: str
) -> None:
    refused = client_of(owner).put(PATH, body)

    assert refused.status_code == 400
    assert [(detail["field"], detail["code"]) for detail in refused.json()["error"]["details"]] == [(field, code)]
    assert not NotificationPreferences.objects.exists()


def test_each_channel_is_told_what_it_was_chosen_for(
    owner: Any, stranger: Any, client_of: ClientOf, drain: Drain, smtp_sink: SmtpSink
) -> None:
    client_of(owner).put(PATH, {"matrix": {"resource.shared": {"email": False}}})
    client_of(stranger).put(PATH, {"matrix": {"resource.shared": {"in_app": False}}})

    notify(News("resource.shared", SHARED), to=[owner.pk, stranger.pk])
    drain()

    assert [row["kind"] for row in client_of(owner).get("/api/v1/notifications").json()["data"]] == ["resource.shared"]
    assert client_of(stranger).get("/api/v1/notifications").json()["data"] == []
    assert [mail["To"] for mail in smtp_sink.mails] == [stranger.email]


def test_who_wants_nothing_of_a_kind_has_no_row_of_it(owner: Any, client_of: ClientOf) -> None:
    client_of(owner).put(PATH, {"matrix": {"resource.shared": {"in_app": False, "email": False, "push": False}}})

    assert notify(News("resource.shared", SHARED), to=[owner.pk]).people == 0
    assert not Notification.objects.exists()


def test_a_choice_made_while_a_mail_waits_still_holds(
    owner: Any, client_of: ClientOf, drain: Drain, smtp_sink: SmtpSink
) -> None:
    notify(News("resource.shared", SHARED), to=[owner.pk])
    client_of(owner).put(PATH, {"matrix": {"resource.shared": {"email": False}}})
    drain()

    assert smtp_sink.mails == []
    assert Message.objects.get().state == "suppressed"


def test_one_click_in_a_mail_switches_its_kind_off_without_a_sign_in(
    owner: Any, drain: Drain, smtp_sink: SmtpSink
) -> None:
    notify(News("resource.shared", SHARED), to=[owner.pk])
    drain()
    (mail,) = smtp_sink.mails
    link = str(mail["List-Unsubscribe"]).strip("<>")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert link in text_of(mail)
    page, browser = urlsplit(link).path, Client(enforce_csrf_checks=True)

    shown = browser.get(page)
    assert (shown.status_code, NotificationPreferences.objects.exists()) == (200, False)
    form = {"content_type": "application/x-www-form-urlencoded", "data": "List-Unsubscribe=One-Click"}
    for _ in range(2):
        assert browser.post(page, **form).status_code == 200  # type: ignore[arg-type]  # the two are named above

    assert NotificationPreferences.objects.get().choices == {"resource.shared": {"email": False}}
    notify(News("resource.shared", SHARED), to=[owner.pk])
    notify(News("system.broadcast", {"title": "News", "text": "…"}), to=[owner.pk])
    drain()
    assert [str(mail["Subject"]) for mail in smtp_sink.mails[1:]] == ["News"]


def test_the_api_takes_the_same_token_in_whatever_form(owner: Any, drain: Drain, smtp_sink: SmtpSink) -> None:
    notify(News("resource.shared", SHARED), to=[owner.pk])
    drain()
    token = str(smtp_sink.mails[0]["List-Unsubscribe"]).strip("<>").rpartition("/")[2]
    path, anonymous = f"/api/v1/unsubscribe/{token}", Client()

    expected = {"kind": "resource.shared", "title": "Something was shared with you", "channel": "email"}
    assert anonymous.get(path).json()["data"] == expected
    assert not NotificationPreferences.objects.exists()
    assert anonymous.post(path, {"List-Unsubscribe": "One-Click"}).json()["data"] == expected
    assert anonymous.post(path, "a=b", content_type="application/x-www-form-urlencoded").status_code == 200
    assert NotificationPreferences.objects.get().version == 1


@pytest.mark.parametrize("token", ["x", "a~b", "x" * 3000, "~", "%00"])
def test_a_token_that_is_not_ours_does_nothing(db: None, token: str) -> None:
    for path in (f"/unsubscribe/{token}", f"/api/v1/unsubscribe/{token}"):
        assert Client().get(path).status_code in {400, 404}
        assert Client().post(path).status_code in {400, 404}
    assert not NotificationPreferences.objects.exists()


def test_a_mail_about_safety_has_no_such_link(owner: Any, drain: Drain, smtp_sink: SmtpSink) -> None:
    notify(News("account.password_changed"), to=[owner.pk])
    drain()

    assert smtp_sink.mails[0]["List-Unsubscribe"] is None
    assert "unsubscribe" not in text_of(smtp_sink.mails[0])


def test_a_mail_program_that_decodes_nothing_finds_the_link(
    owner: Any, anonymous: Client, drain: Drain, settings: Settings, tmp_path: Path
) -> None:
    settings.MAIL = {"scheme": "folder", "folder": str(tmp_path)}
    notify(News("system.broadcast", {"title": "News", "text": "All is well."}), to=[owner.pk])
    drain()

    (file,) = tmp_path.iterdir()
    found = re.search(rb"^List-Unsubscribe: <https://nook\.example(/unsubscribe/\S{40,})>\r?$", file.read_bytes(), re.M)
    assert found is not None, "one line, as RFC 8058 has it: neither folded nor encoded"
    form = "application/x-www-form-urlencoded"
    assert anonymous.post(found[1].decode(), "List-Unsubscribe=One-Click", form).status_code == 200
    row = NotificationPreferences.objects.get(user=owner)
    assert row.choices == {"system.broadcast": {"email": False}}
