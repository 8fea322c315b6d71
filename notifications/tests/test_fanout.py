"""Telling very many: by a job, in chunks, each person once, and without anybody's password waiting behind it."""

from collections.abc import Callable
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models.functions import Now
from django.test import Client
from kombu.connection import Connection

from core.jobs import Work
from core.models import Job, OutboxRow
from core.permissions import SYSTEM
from core.relay import queue_depth, relay_due_rows
from core.tests.spine import Drain
from notifications.models import Message, Notification
from notifications.services import fanout, releasing, send
from notifications.services.fanout import JOB_KIND, Recipients, send_to_many
from notifications.tests.smtp import SmtpSink

ClientOf = Callable[[Any], Client]
SEND = "/api/v1/notifications/send"
NEWS = {"title": "Maintenance", "text": "On Sunday."}

pytestmark = pytest.mark.django_db


def body(to: Any = None, **more: Any) -> dict[str, Any]:
    return {"kind": "system.broadcast", "to": to or {"all": True}, "data": NEWS, **more}


def crowd(user: Any, number: int) -> None:
    """Make so many people like the user."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO users (id, email, password_hash, name, role_id, is_active, email_verified)"
            " SELECT nook_uuid7(), 'crowd' || n || '@example.com', '!', 'Crowd', role_id, true, true"
            " FROM users, generate_series(1, %s) AS n WHERE id = %s",
            [number, user.pk],
        )


def test_everybody_is_told_once(
    owner: Any, stranger: Any, admin: Any, client_of: ClientOf, drain: Drain, smtp_sink: SmtpSink
) -> None:
    response = client_of(admin).post(SEND, body(), content_type="application/json")
    assert (response.status_code, response.json()["data"]["total"]) == (202, 3)
    drain()

    job = client_of(admin).get(response["Location"]).json()["data"]
    assert (job["state"], job["done"]) == ("succeeded", 3)
    assert sorted(mail["To"] for mail in smtp_sink.mails) == sorted([owner.email, stranger.email, admin.email])
    (row,) = client_of(owner).get("/api/v1/notifications").json()["data"]
    assert (row["title"], row["text"], row["kind"]) == ("Maintenance", "On Sunday.", "system.broadcast")


def test_only_those_who_are_meant_are_told(
    owner: Any, stranger: Any, moderator: Any, admin: Any, client_of: ClientOf, drain: Drain, smtp_sink: SmtpSink
) -> None:
    client = client_of(admin)
    for to in ({"users": [str(owner.pk), str(uuid4())]}, {"role": "moderator"}):
        assert client.post(SEND, body(to), content_type="application/json").json()["data"]["total"] == 1
    drain()

    assert set(Notification.objects.values_list("user_id", flat=True)) == {owner.pk, moderator.pk}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"kind": "account.password_reset"}, "kind"),
        ({"kind": "nothing"}, "kind"),
        ({"to": {"role": "nobody"}}, "to.role"),
        ({"to": {}}, "to"),
        ({"to": {"all": False}}, "to"),
        ({"to": {"all": True, "role": "user"}}, "to"),
        ({"to": {"users": []}}, "to.users"),
        ({"data": {"title": "Maintenance"}}, "data.text"),
        ({"data": {**NEWS, "colour": "red"}}, "data.colour"),
        ({"data": {**NEWS, "link": "javascript:alert(1)"}}, "data.link"),
        ({"data": {**NEWS, "title": "x" * 201}}, "data.title"),
    ],
)
def test_what_cannot_be_sent_is_refused_and_nobody_is_told(
    admin: Any, client_of: ClientOf, wrong: dict[str, Any], field: str
) -> None:
    refused = client_of(admin).post(SEND, {**body(), **wrong}, content_type="application/json")

    assert refused.status_code == 400
    assert {(detail["field"] or "to") for detail in refused.json()["error"]["details"]} == {field}
    assert not Job.objects.exists()


def test_without_the_right_nobody_is_told(owner: Any, client_of: ClientOf) -> None:
    refused = client_of(owner).post(SEND, body(), content_type="application/json")

    assert (refused.status_code, Job.objects.exists(), Notification.objects.exists()) == (403, False, False)


def test_a_worker_that_dies_in_a_chunk_loses_and_doubles_nobody(
    owner: Any, monkeypatch: pytest.MonkeyPatch, drain: Drain, smtp_sink: SmtpSink
) -> None:
    monkeypatch.setattr(fanout, "CHUNK", 10)
    crowd(owner, 35)
    job = send_to_many(actor=SYSTEM, kind="system.broadcast", context=NEWS, to=Recipients(everybody=True))
    work = Work(job.pk, None, dict(job.parameters), {})
    with transaction.atomic():
        assert fanout.tell_chunk(work) is None
        transaction.set_rollback(True)
    assert not Notification.objects.exists()

    drain()
    job.refresh_from_db()
    assert (job.state, job.done, job.checkpoint["told"]) == ("succeeded", 36, 36)
    again = Work(job.pk, None, dict(job.parameters), {})
    while fanout.tell_chunk(again) is None:
        pass
    drain()
    assert (Notification.objects.count(), Message.objects.count(), len(smtp_sink.mails)) == (36, 36, 36)


def test_ten_thousand_mails_hold_up_no_password(owner: Any, broker: Connection, drain: Drain) -> None:
    crowd(owner, 10_000)
    job = send_to_many(actor=SYSTEM, kind="system.broadcast", context=NEWS, to=Recipients(everybody=True))
    work = Work(job.pk, None, dict(job.parameters), {})
    while fanout.tell_chunk(work) is None:
        pass
    OutboxRow.objects.all().delete()
    releasing.release_messages()
    send("account.password_reset", to=owner.pk, context={"link": "https://nook.example/?token=1"})

    assert Message.objects.filter(state="held").count() == 10_001 - releasing.UNDER_WAY
    ahead = OutboxRow.objects.exclude(queue="critical").filter(task="notifications.tasks.deliver")
    assert (ahead.count(), set(ahead.values_list("queue", flat=True))) == (releasing.UNDER_WAY, {"bulk"})
    relay_due_rows(broker)
    prefix = OutboxRow.objects.get(queue="critical")
    assert prefix.dispatched_at is not None
    assert queue_depth(broker, "critical") == 1


def test_the_lane_is_filled_again_as_it_empties(
    owner: Any, monkeypatch: pytest.MonkeyPatch, drain: Drain, smtp_sink: SmtpSink
) -> None:
    monkeypatch.setattr(releasing, "UNDER_WAY", 3)
    crowd(owner, 10)
    send_to_many(actor=SYSTEM, kind="system.broadcast", context=NEWS, to=Recipients(everybody=True))
    for _ in range(6):
        drain()
        assert Message.objects.filter(state="queued").count() <= 3
        releasing.release_messages()

    assert len(smtp_sink.mails) == 11


def test_the_command_counts_before_it_tells(owner: Any, stranger: Any, drain: Drain, smtp_sink: SmtpSink) -> None:
    def run(*arguments: str) -> str:
        out = StringIO()
        call_command("notify", "system.broadcast", *arguments, stdout=out)
        return out.getvalue()

    assert run("--all", "--dry-run") == "2 people would be told; nothing was sent.\n"
    assert not Job.objects.exists()
    assert run("--to", owner.email, "--data", "title=Hello", "text=World").startswith("1 people are being told, by job")
    drain()
    assert [mail["To"] for mail in smtp_sink.mails] == [owner.email]
    with pytest.raises(CommandError, match=r"nobody@example\.com"):
        run("--to", "nobody@example.com")
    with pytest.raises(CommandError, match=r"data\.text"):
        run("--all", "--data", "title=Hello")
    assert Job.objects.filter(kind=JOB_KIND).count() == 1


def test_who_has_not_confirmed_their_address_finds_it_in_the_inbox_and_gets_no_mail(
    owner: Any, admin: Any, client_of: ClientOf, drain: Drain, smtp_sink: SmtpSink
) -> None:
    type(owner).objects.filter(pk=owner.pk).update(email_verified=False)
    said = StringIO()
    call_command("notify", "system.broadcast", "--all", "--dry-run", stdout=said)

    client_of(admin).post(SEND, body(), content_type="application/json")
    drain()

    assert said.getvalue() == (
        "2 people would be told, 1 of them without a mail (address not confirmed); nothing was sent.\n"
    )
    assert [mail["To"] for mail in smtp_sink.mails] == [admin.email]
    assert set(Notification.objects.values_list("user_id", flat=True)) == {owner.pk, admin.pk}


@pytest.mark.parametrize("loss", ["role", "disabled", "deleted"])
def test_whoever_may_not_send_any_more_when_it_runs_tells_nobody(
    loss: str, owner: Any, admin: Any, client_of: ClientOf, drain: Drain, smtp_sink: SmtpSink
) -> None:
    response = client_of(admin).post(SEND, body(), content_type="application/json")
    changes = {"role": {"role": owner.role}, "disabled": {"is_active": False}, "deleted": {"deleted_at": Now()}}
    type(admin).objects.filter(pk=admin.pk).update(**changes[loss])
    drain()

    job = Job.objects.get(pk=response.json()["data"]["id"])
    assert (job.state, job.error_code) == ("failed", "permission_denied")
    assert (smtp_sink.mails, Notification.objects.filter(kind="system.broadcast").count()) == ([], 0)


def test_a_receiver_that_is_null_is_none(owner: Any, admin: Any, client_of: ClientOf) -> None:
    client = client_of(admin)

    sent = client.post(SEND, body({"users": [str(owner.pk)], "role": None, "all": None}))
    nobody = client.post(SEND, body({"users": None, "role": None, "all": None}))

    assert (sent.status_code, sent.json()["data"]["total"]) == (202, 1)
    assert nobody.status_code == 400
    assert Job.objects.filter(kind=JOB_KIND).count() == 1


@pytest.mark.parametrize("text", [5, True, None, ["Hello"]])
def test_what_is_told_is_text_and_nothing_that_could_be_taken_for_it(
    admin: Any, client_of: ClientOf, text: Any
) -> None:
    refused = client_of(admin).post(SEND, body(data={**NEWS, "title": text}))

    assert refused.status_code == 400
    assert [one["field"] for one in refused.json()["error"]["details"]] == ["data.title"]
    assert not Job.objects.exists()
