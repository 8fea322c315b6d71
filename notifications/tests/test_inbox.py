"""The inbox over the API: one's own, newest first, read and unread, put away; and where each thing went."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.base_user import AbstractBaseUser
from django.test import Client

from core.models import Event
from core.tests.spine import Drain
from notifications.api.shapes import redacted
from notifications.models import Message, Notification
from notifications.services import News, notify
from notifications.tests.smtp import SmtpSink

ClientOf = Callable[[Any], Client]
INBOX = "/api/v1/notifications"
SHARED = {"giver": "Olive Owner", "resource": "March", "access": "viewer"}

pytestmark = pytest.mark.django_db


def tell(user: AbstractBaseUser, kind: str = "resource.shared", **context: str) -> Notification:
    """Tell the user, and return their row."""
    key = str(uuid4())
    notify(News(kind, context or SHARED, dedup_key=key), to=[user.pk])
    return Notification.objects.get(dedup_key=key)


def test_what_somebody_is_told_stands_in_their_inbox_and_in_nobody_elses(
    owner: Any, stranger: Any, client_of: ClientOf
) -> None:
    row = tell(owner)

    (shown,) = client_of(owner).get(INBOX).json()["data"]
    assert {name: shown[name] for name in ("id", "kind", "category", "title", "text", "data", "subject", "unread")} == {
        "id": str(row.pk),
        "kind": "resource.shared",
        "category": "work",
        "title": "Olive Owner shared “March” with you",
        "text": "You are viewer of it.",
        "data": SHARED,
        "subject": None,
        "unread": True,
    }
    assert client_of(owner).get(f"{INBOX}/{row.pk}").json()["data"] == shown
    other = client_of(stranger)
    assert other.get(INBOX).json()["data"] == []
    for method, end in (("get", ""), ("delete", ""), ("post", "/read"), ("post", "/unread"), ("get", "/deliveries")):
        refused = getattr(other, method)(f"{INBOX}/{row.pk}{end}")
        assert (refused.status_code, refused.json()["error"]["code"]) == (404, "NOT_FOUND")
    row.refresh_from_db()
    assert (row.read_at, row.archived_at) == (None, None)


def test_filters_name_unread_ones_a_kind_and_a_time(owner: Any, client_of: ClientOf) -> None:
    old, new = tell(owner), tell(owner, "system.broadcast", title="Hello", text="World")
    Notification.objects.filter(pk=old.pk).update(created_at=new.created_at - timedelta(days=1))
    client = client_of(owner)
    client.post(f"{INBOX}/{old.pk}/read")

    def found(query: str) -> list[str]:
        return [row["id"] for row in client.get(f"{INBOX}?{query}").json()["data"]]

    assert found("") == [str(new.pk), str(old.pk)]
    assert found("unread=true") == [str(new.pk)]
    assert found("unread=false") == [str(old.pk)]
    assert found("kind=system.broadcast") == [str(new.pk)]
    assert found(f"created_after={old.created_at.isoformat().replace('+00:00', 'Z')}") == [str(new.pk)]
    assert client.get(f"{INBOX}?unread=maybe").status_code == 400
    assert client.get(f"{INBOX}?colour=red").json()["error"]["details"][0]["code"] == "unknown_parameter"


def test_the_inbox_is_walked_by_pages_and_by_cursor(owner: Any, client_of: ClientOf) -> None:
    rows = [str(tell(owner).pk) for _ in range(5)]
    client = client_of(owner)

    page = client.get(f"{INBOX}?per_page=2&page=3").json()
    assert (len(page["data"]), page["meta"]["total"]) == (1, 5)
    seen: list[str] = []
    cursor: Any = ""
    while cursor is not None:
        part = client.get(f"{INBOX}?per_page=2&cursor={cursor}").json()
        seen += [row["id"] for row in part["data"]]
        cursor = part["meta"]["next_cursor"]
    assert sorted(seen) == sorted(rows)


def test_reading_counts_down_and_is_safe_to_repeat(owner: Any, client_of: ClientOf) -> None:
    row, _ = tell(owner), tell(owner)
    client = client_of(owner)

    def unread() -> int:
        return int(client.get(f"{INBOX}/unread-count").json()["data"]["count"])

    assert unread() == 2
    first = client.post(f"{INBOX}/{row.pk}/read").json()["data"]
    assert (first["unread"], unread()) == (False, 1)
    assert client.post(f"{INBOX}/{row.pk}/read").json()["data"] == first
    assert client.post(f"{INBOX}/{row.pk}/unread").json()["data"]["read_at"] is None
    assert unread() == 2
    assert client.post(f"{INBOX}/read-all").json()["data"] == {"count": 2}
    assert client.post(f"{INBOX}/read-all").json()["data"] == {"count": 0}
    assert unread() == 0
    types = ["notification.all_read", "notification.created", "notification.read", "notification.unread"]
    assert sorted(set(Event.objects.values_list("type", flat=True)) & set(types)) == types


def test_reading_all_reads_nobody_elses(owner: Any, stranger: Any, client_of: ClientOf) -> None:
    theirs = tell(stranger)
    client_of(owner).post(f"{INBOX}/read-all")

    theirs.refresh_from_db()
    assert theirs.read_at is None


def test_what_is_put_away_is_gone_and_is_not_told_again(owner: Any, client_of: ClientOf) -> None:
    row = tell(owner)
    client = client_of(owner)

    assert client.delete(f"{INBOX}/{row.pk}").status_code == 204
    assert client.delete(f"{INBOX}/{row.pk}").status_code == 404
    assert client.get(INBOX).json()["data"] == []
    assert client.get(f"{INBOX}/unread-count").json()["data"] == {"count": 0}
    notify(News("resource.shared", SHARED, dedup_key=row.dedup_key), to=[owner.pk])
    assert client.get(INBOX).json()["data"] == []


def test_each_channel_tells_its_state_and_every_attempt(
    owner: Any, client_of: ClientOf, drain: Drain, smtp_sink: SmtpSink
) -> None:
    row = tell(owner)
    client = client_of(owner)

    def way() -> list[tuple[str, str, int]]:
        deliveries = client.get(f"{INBOX}/{row.pk}/deliveries").json()["data"]
        return [(found["channel"], found["state"], len(found["attempts"])) for found in deliveries]

    assert way() == [("in_app", "delivered", 0), ("email", "queued", 0)]
    drain()
    assert way() == [("in_app", "delivered", 0), ("email", "sent", 1)]
    (attempt,) = client.get(f"{INBOX}/{row.pk}/deliveries").json()["data"][1]["attempts"]
    assert (attempt["number"], attempt["outcome"], attempt["answer"]) == (1, "sent", "250 OK queued")
    assert attempt["finished_at"] >= attempt["started_at"]
    (mail,) = smtp_sink.to(owner.email)
    assert mail["Subject"] == "Olive Owner shared “March” with you"


def test_answers_lose_addresses_and_names_of_machines() -> None:
    said = "550 5.1.1 <olive@example.com>: rejected by mx1.internal.example.net [10.0.0.7], call +43123456789"

    assert redacted(said) == "550 5.1.1 <…>: rejected by … […], call …"


def test_whoever_is_gone_is_told_nothing(owner: Any, stranger: Any, drain: Drain, smtp_sink: SmtpSink) -> None:
    type(owner).objects.filter(pk=stranger.pk).update(is_active=False)

    told = notify(News("resource.shared", SHARED), to=[stranger.pk, uuid4()])
    assert (told.people, Notification.objects.count(), Message.objects.count()) == (0, 0, 0)

    row = tell(owner)
    type(owner).objects.filter(pk=owner.pk).update(is_active=False)
    drain()
    assert smtp_sink.mails == []
    assert Message.objects.get(notification=row).state == "suppressed"


def test_one_key_tells_each_person_once(owner: Any, stranger: Any, drain: Drain, smtp_sink: SmtpSink) -> None:
    news = News("resource.shared", SHARED, dedup_key="once")
    notify(news, to=[owner.pk])
    told = notify(news, to=[owner.pk, stranger.pk])
    drain()

    assert (told.people, told.messages) == (1, 1)
    assert sorted(mail["To"] for mail in smtp_sink.mails) == [owner.email, stranger.email]


def test_a_notification_has_a_tag_that_reading_it_changes(owner: Any, client_of: ClientOf) -> None:
    row, client = tell(owner), client_of(owner)
    path = f"{INBOX}/{row.pk}"

    first = client.get(path)["ETag"]
    known = client.get(path, headers={"If-None-Match": first})
    read = client.post(f"{path}/read")["ETag"]

    assert (known.status_code, known.content) == (304, b"")
    assert read == client.get(path)["ETag"] != first
    assert client.get(path, headers={"If-None-Match": first}).status_code == 200
    refused = client.delete(path, headers={"If-Match": first})
    assert (refused.status_code, refused.json()["error"]["code"]) == (412, "PRECONDITION_FAILED")
    assert client.get(path).status_code == 200
    type(owner).objects.filter(pk=owner.pk).update(locale="de")
    assert client.delete(path, headers={"If-Match": read}).status_code == 204
    assert client.get(path).status_code == 404
