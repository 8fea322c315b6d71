"""Wordings of staff's: judged when they are saved, used by language, versioned, and given up for the file's."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from core.errors import Conflict, PermissionDenied, PreconditionFailed, ValidationFailed
from core.models import OutboxRow
from core.permissions import SYSTEM, Caller
from core.tests.spine import Drain, Events
from notifications.kinds import KINDS, Kind, register_kind
from notifications.models import MessageTemplate, Notification
from notifications.services import News, notify, send
from notifications.services.message_templates import (
    NewTemplate,
    change_template,
    create_template,
    delete_template,
    restore_version,
    send_test,
)
from notifications.templates import title_and_text
from notifications.tests.smtp import SmtpSink, text_of

BrowserOf = Callable[[Any], Client]
ClientOf = Callable[[Any], Client]
LIST = "/admin/notifications/messagetemplate/"
RESET = "account.password_reset"
LINK = "https://nook.example/reset?token=nkr_0123456789"

pytestmark = pytest.mark.django_db


def write(
    kind: str = "account.welcome", channel: str = "email", *, subject: str = "Servus", text: str = "Hi", **parts: Any
) -> MessageTemplate:
    new = NewTemplate(kind, channel, subject=subject, text=text, **parts)
    return create_template(actor=SYSTEM, new=new)


def subject_for(locale: str, drain: Drain, sink: SmtpSink) -> str:
    """Return the subject of a welcome in this language."""
    send("account.welcome", address="ada@example.com", name="Ada", locale=locale)
    drain()
    return str(sink.mails[-1]["Subject"])


def html_of(mail: Any) -> str:
    return str(mail.get_body(("html",)).get_content())


def faults(**values: Any) -> set[tuple[str | None, str]]:
    with pytest.raises(ValidationFailed) as refusal:
        write(**values)
    assert not MessageTemplate.objects.exists()
    return {(detail.field, detail.code) for detail in refusal.value.details}


def test_a_mail_says_what_staff_wrote_and_variables_never_become_markup(drain: Drain, smtp_sink: SmtpSink) -> None:
    write(
        RESET,
        subject="New password for {{ name }}",
        text="{% if name %}Hello {{ name }}{% else %}Hello{% endif %}: {{ link }}",
        html='<p title="{{ name }}">{{ name }}</p><a href="{{ link }}">Choose</a>',
    )

    send(RESET, address="eve@example.com", name="\"><script>x</script>\n'y'", locale="en", context={"link": LINK})
    drain()

    (mail,) = smtp_sink.mails
    assert mail["Subject"] == "New password for \"><script>x</script> 'y'"
    assert text_of(mail).splitlines()[-1].endswith(f"'y': {LINK}")
    assert "<script>x" not in html_of(mail)
    assert f'<a href="{LINK}">Choose</a>' in html_of(mail)
    assert "<!DOCTYPE html>" in html_of(mail)


def test_html_is_made_from_the_text_where_there_is_none(drain: Drain, smtp_sink: SmtpSink) -> None:
    write(text="Hello {{ name }},\n\nwelcome.")

    send("account.welcome", address="ada@example.com", name="<b>Ada</b>", locale="en")
    drain()

    assert "<p>Hello &lt;b&gt;Ada&lt;/b&gt;,</p>" in html_of(smtp_sink.mails[0])
    assert "<p>welcome.</p>" in html_of(smtp_sink.mails[0])


def test_the_language_is_met_exactly_then_without_its_region_then_by_everybodys(
    drain: Drain, smtp_sink: SmtpSink
) -> None:
    assert subject_for("pt-BR", drain, smtp_sink).startswith("Welcome")
    write(subject="Everybody")
    assert subject_for("pt-BR", drain, smtp_sink) == "Everybody"
    portuguese = write(subject="Bem-vindo", locale="pt")
    assert subject_for("pt-BR", drain, smtp_sink) == "Bem-vindo"
    write(subject="Oi", locale="pt-br")

    assert [subject_for(tag, drain, smtp_sink) for tag in ("pt-BR", "pt-PT", "de")] == ["Oi", "Bem-vindo", "Everybody"]
    change_template(actor=SYSTEM, template_id=portuguese.pk, changes={"is_active": False})
    assert subject_for("pt-PT", drain, smtp_sink) == "Everybody"


@pytest.mark.parametrize(
    "source",
    [
        "{{ link.__class__ }}",
        "{{ link.0 }}",
        "{{ link|rjust:99999999 }}",
        "{{ link|safe }}",
        "{{ settings }}",
        "{{ 'x' }}",
        "{% include 'emails/base.html' %}",
        "{% extends 'emails/base.html' %}",
        "{% load static %}",
        "{% debug %}",
        "{% for a in link %}{% for b in link %}x{% endfor %}{% endfor %}",
        "{% if link == 'x' %}x{% endif %}",
        "{% if link %}",
        "{% endif %}",
        "{% if link %}{% else %}{% else %}{% endif %}",
        "{% if link %}" * 11 + "{% endif %}" * 11,
        "{# hidden #}",
        "{{ link",
        "{{" * 20_000,
        "x\0y",
        "x" * 50_001,
        "{{ lnk }}",
    ],
)
def test_what_is_not_of_the_language_is_refused_when_it_is_saved(source: str) -> None:
    assert faults(kind=RESET, text=source + "{{ link }}") == {("text", "invalid_template")}


@pytest.mark.parametrize(
    "html",
    [
        "<script>{{ link }}</script>",
        "<p onclick='x'>{{ link }}</p>",
        "<a href={{ link }}>{{ link }}</a>",
        "<a href='javascript:x'>{{ link }}</a>",
        "<a href='java{{ link }}'>{{ link }}</a>",
        "<a href='{{ name }}{{ link }}'>x</a>",
        "<p style='{{ name }}'>{{ link }}</p>",
        "<{{ name }}>{{ link }}",
        "<p {{ name }}>{{ link }}</p>",
        "<p {% if name %}title='a'{% endif %}>{{ link }}</p>",
        "<p title='{% if name %}a'{% endif %}>{{ link }}</p>",
        "<!-- {{ link }} -->",
        "<iframe src='https://x.example'></iframe>{{ link }}",
        "<base href='https://x.example'>{{ link }}",
        "1 < 2 {{ link }}",
        "<p \ue000>{{ link }}</p>",
    ],
)
def test_html_that_runs_or_lets_a_variable_out_of_its_place_is_refused(html: str) -> None:
    assert faults(kind=RESET, text="{{ link }}", html=html) == {("html", "invalid_template")}


def test_a_variable_that_is_no_address_leads_nowhere(drain: Drain, smtp_sink: SmtpSink) -> None:
    write("account.welcome", html='<a href="{{ name }}">{{ name }}</a>')

    send("account.welcome", address="ada@example.com", name="javascript:alert(1)", locale="en")
    drain()

    assert '<a href="">javascript:alert(1)</a>' in html_of(smtp_sink.mails[0])


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("Reset it.", ""),
        ("{% if ip %}{{ link }}{% endif %}", ""),
        ("{% if ip %}{{ link }}{% else %}x{% endif %}", ""),
        ("{% if not link %}{{ link }}{% endif %}", ""),
    ],
)
def test_a_message_about_safety_says_what_it_is_for_in_every_case(text: str, html: str) -> None:
    assert faults(kind=RESET, text=text, html=html) == {("text", "left_out")}
    assert faults(kind=RESET, text="{{ link }}", html="<p>Reset it.</p>") == {("html", "left_out")}
    assert write(RESET, text="{% if ip %}{{ ip }}: {{ link }}{% else %}{{ link }}{% endif %}").version == 1


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"kind": "no.such"}, ("kind", "unknown_kind")),
        ({"channel": "sms"}, ("channel", "unknown_channel")),
        ({"channel": "push"}, ("channel", "unknown_channel")),
        ({"locale": "DE!"}, ("locale", "unknown_locale")),
        ({"locale": "a" * 40}, ("locale", "unknown_locale")),
        ({"subject": ""}, ("subject", "required")),
        ({"subject": "two\nlines"}, ("subject", "line_break")),
        ({"subject": "x" * 201}, ("subject", "too_long")),
        ({"text": " "}, ("text", "required")),
        ({"text": "{% if name %}Hi{% endif %}"}, ("text", "empty")),
        ({"kind": "account.phone_code", "channel": "sms"}, ("subject", "not_here")),
        ({"channel": "in_app", "html": "<p>x</p>"}, ("html", "not_here")),
    ],
)
def test_parts_are_judged_by_what_the_channel_has(values: dict[str, Any], expected: tuple[str, str]) -> None:
    assert expected in faults(**values)


def test_output_is_bounded_and_the_file_speaks_instead(
    drain: Drain, smtp_sink: SmtpSink, events: Events, owner: Any
) -> None:
    row = write("system.broadcast", subject="News", text="{{ text }}" * 1000)
    big = {"title": "Title", "text": "x" * 5000}

    for _ in range(2):
        send("system.broadcast", address="ada@example.com", name="Ada", locale="en", context=big)
        drain()

    assert [mail["Subject"] for mail in smtp_sink.mails] == ["Title", "Title"]
    (event,) = events("message_template.failed")
    assert event.payload == {"version": 1, "reason": "It becomes longer than 200,000 characters."}
    row.refresh_from_db()
    assert (row.failed_at is not None, row.failure) == (True, "It becomes longer than 200,000 characters.")
    row = change_template(actor=SYSTEM, template_id=row.pk, changes={"text": "{{ text }}"})
    assert (row.version, row.failed_at, row.failure) == (2, None, "")


@pytest.fixture
def _changing_kind() -> Iterator[None]:
    """A kind of an app of one's own that has a variable more than its next release."""
    templates = Kind("system.broadcast", "News", "news", required=frozenset({"title", "text", "season"}))
    ours = KINDS.pop("system.broadcast")
    register_kind(templates)
    yield
    KINDS["system.broadcast"] = ours


@pytest.mark.usefixtures("_changing_kind")
def test_a_kind_that_lost_a_variable_is_told_by_its_file(
    drain: Drain, smtp_sink: SmtpSink, events: Events, admin: Any, browser_of: BrowserOf, owner: Any
) -> None:
    row = write("system.broadcast", subject="{{ season }}", text="{{ text }}")
    write("system.broadcast", "in_app", subject="{{ season }}", text="{{ text }}")
    KINDS["system.broadcast"] = Kind("system.broadcast", "News", "news", required=frozenset({"title", "text"}))

    send("system.broadcast", address="a@example.com", name="A", locale="en", context={"title": "T", "text": "B"})
    drain()
    told = Notification.objects.create(
        user=owner, kind="system.broadcast", context={"title": "T", "text": "B"}, dedup_key="k"
    )

    assert smtp_sink.mails[0]["Subject"] == "T"
    assert title_and_text(told, "en") == ("T", "B")
    assert [event.subject_id for event in events("message_template.failed")] == [str(row.pk)]
    page = browser_of(admin).get(LIST).content.decode()
    assert "cannot be used" in page
    change_template(actor=SYSTEM, template_id=row.pk, changes={"is_active": False})
    with pytest.raises(ValidationFailed):
        change_template(actor=SYSTEM, template_id=row.pk, changes={"is_active": True})


@pytest.mark.usefixtures("sessions_read_once")
def test_the_inbox_says_it_too_with_one_statement_however_many_rows(owner: Any, client_of: ClientOf) -> None:
    shared = {"giver": "Sam", "resource": "<b>March</b>", "access": "viewer"}
    write("resource.shared", "in_app", subject="{{ giver }} gave you {{ resource }}", text="")
    client = client_of(owner)

    def ask() -> int:
        with CaptureQueriesContext(connection) as queries:
            rows = client.get("/api/v1/notifications").json()["data"]
        assert {row["title"] for row in rows} == {"Sam gave you <b>March</b>"}
        return len(queries)

    notify(News("resource.shared", shared, dedup_key="0"), to=[owner.pk])
    ask()
    few = ask()
    for number in range(1, 15):
        notify(News("resource.shared", shared, dedup_key=str(number)), to=[owner.pk])

    assert ask() == few


def test_every_change_is_a_version_with_who_and_an_older_one_comes_back(
    admin: Any, events: Events, drain: Drain, smtp_sink: SmtpSink
) -> None:
    actor = Caller.of(admin)
    row = create_template(actor=actor, new=NewTemplate("account.welcome", "email", subject="One", text="1"))
    change_template(actor=actor, template_id=row.pk, changes={"subject": "Two"})
    change_template(actor=actor, template_id=row.pk, changes={"subject": "Two"})
    assert subject_for("en", drain, smtp_sink) == "Two"

    restore_version(actor=actor, template_id=row.pk, number=1)

    assert subject_for("en", drain, smtp_sink) == "One"
    kept = list(row.versions.order_by("number").values_list("number", "action", "subject", "edited_by"))
    assert kept == [
        (1, "created", "One", admin.pk),
        (2, "updated", "Two", admin.pk),
        (3, "restored", "One", admin.pk),
    ]
    told = [(event.type, event.actor) for event in events("message_template.*")]
    assert told == [(f"message_template.{verb}", admin.pk) for verb in ("created", "updated", "restored")]
    with pytest.raises(PreconditionFailed):
        change_template(actor=actor, template_id=row.pk, changes={"subject": "X"}, seen_version=2)
    delete_template(actor=actor, template_id=row.pk)
    assert subject_for("en", drain, smtp_sink).startswith("Welcome")
    assert events("message_template.deleted")[0].payload["before"]["subject"] == "One"


def test_only_the_role_admin_writes_and_a_place_is_taken_once(moderator: Any, admin: Any, events: Events) -> None:
    row = write()
    before = len(events())
    by_moderator = Caller.of(moderator)
    new = NewTemplate("account.welcome", "email", locale="de", subject="x", text="x")

    for attempt in (
        lambda: create_template(actor=by_moderator, new=new),
        lambda: change_template(actor=by_moderator, template_id=row.pk, changes={"text": "x"}),
        lambda: restore_version(actor=by_moderator, template_id=row.pk, number=1),
        lambda: delete_template(actor=by_moderator, template_id=row.pk),
        lambda: send_test(actor=by_moderator, template_id=row.pk),
    ):
        with pytest.raises(PermissionDenied):
            attempt()
    with pytest.raises(Conflict, match="already"):
        write()

    assert (len(events()), MessageTemplate.objects.get().text, OutboxRow.objects.count()) == (before, "Hi", 0)
