"""Following a resource: who may, who is told of what, and who is not, at the moment of sending."""

from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import User
from accounts.tests.answers import ClientOf
from accounts.tests.factories import create_user
from core.models import Event
from core.permissions import Caller
from notifications.models import Message
from notifications.tests.smtp import SmtpSink, text_of
from resources.access import Level
from resources.live import own_watch_events, readable_resource_events
from resources.models import Resource, ResourceType, Share, Watch
from resources.services import watching
from resources.tests.factories import create_resource, create_type, share

Drain = Callable[..., int]

WAY = {
    "initial": "draft",
    "states": ["draft", "sent"],
    "transitions": [{"name": "send", "from": ["draft"], "to": "sent", "allow": ["editor"]}],
}


@pytest.fixture
def letter(db: None) -> ResourceType:
    return create_type("letter", workflow=WAY)


@pytest.fixture
def row(owner: User, letter: ResourceType) -> Resource:
    return create_resource(owner, name="March", type_id="letter", status="draft")


@pytest.fixture
def watcher(row: Resource) -> User:
    """Somebody who may read the resource."""
    watcher = create_user(email="watcher@example.com", name="Wanda Watcher")
    share(row, watcher, Level.VIEWER)
    return watcher


@pytest.fixture
def editor(row: Resource) -> User:
    editor = create_user(email="editor@example.com", name="Ed Editor")
    share(row, editor, Level.EDITOR)
    return editor


def path(row: Resource, *parts: str) -> str:
    return "/".join([f"/api/v1/resources/{row.pk}", *parts])


def follow(client_of: ClientOf, row: Resource, *users: User) -> None:
    for user in users:
        assert client_of(user).put(path(row, "watch")).status_code == 204


def send(client_of: ClientOf, row: Resource, user: User) -> None:
    answer = client_of(user).post(path(row, "transitions", "send"))
    assert answer.status_code == 200, answer.content


def told() -> list[tuple[str, str]]:
    return sorted(Message.objects.values_list("address", "kind"))


def test_who_follows_and_the_owner_hear_of_a_transition_and_who_made_it_does_not(
    client_of: ClientOf, drain: Drain, smtp_sink: SmtpSink, row: Resource, watcher: User, editor: User
) -> None:
    follow(client_of, row, watcher, editor)
    send(client_of, row, editor)
    drain()

    assert told() == [
        ("owner@example.com", "resource.transitioned"),
        ("watcher@example.com", "resource.transitioned"),
    ]
    [mail] = smtp_sink.to("watcher@example.com")
    assert mail["Subject"] == "“March” is now sent"
    assert "Ed Editor has moved “March” from draft to sent at Nook Link (send)." in text_of(mail)


def test_who_follows_hears_of_comments_and_of_one_that_mentions_them_once(
    client_of: ClientOf, drain: Drain, row: Resource, watcher: User, owner: User
) -> None:
    follow(client_of, row, watcher)
    client_of(owner).post(path(row, "comments"), {"body": "Is this right?"})
    client_of(owner).post(path(row, "comments"), {"body": "@Wanda Watcher, is it?"})
    drain()

    assert told() == [
        ("watcher@example.com", "resource.commented"),
        ("watcher@example.com", "resource.mentioned"),
    ]


def test_plain_changes_are_told_nobody(client_of: ClientOf, drain: Drain, row: Resource, watcher: User) -> None:
    follow(client_of, row, watcher)
    client_of(row.owner).patch(path(row), {"name": "April"})
    drain()

    assert told() == []


def test_following_twice_is_following_once_and_ending_it_twice_too(
    client_of: ClientOf, drain: Drain, row: Resource, watcher: User
) -> None:
    client = client_of(watcher)
    follow(client_of, row, watcher, watcher)
    assert Watch.objects.count() == 1

    assert [client.delete(path(row, "watch")).status_code for _ in range(2)] == [204, 204]
    client_of(row.owner).post(path(row, "comments"), {"body": "Hello?"})
    drain()

    assert told() == []
    types = Event.objects.filter(type__startswith="watch.").order_by("seq").values_list("type", "audience")
    assert list(types) == [("watch.created", [watcher.pk]), ("watch.removed", [watcher.pk])]


def test_who_may_not_read_does_not_follow_and_learns_nothing(
    client_of: ClientOf, row: Resource, stranger: User, watcher: User
) -> None:
    missing = path(row).replace(str(row.pk), "019a9c1e-5f00-7c4e-9d1b-2f6f3f0c8a99")
    for method in ("put", "delete"):
        hidden = getattr(client_of(stranger), method)(path(row, "watch"))
        unknown = getattr(client_of(stranger), method)(f"{missing}/watch")
        assert (hidden.status_code, unknown.status_code) == (404, 404)
        assert hidden.json()["error"]["message"] == unknown.json()["error"]["message"]
    assert not Watch.objects.exists()
    assert not Event.objects.filter(type__startswith="watch.").exists()


@pytest.mark.parametrize("when", ["before", "after"])
def test_who_loses_access_is_told_nothing_whether_before_it_happens_or_before_it_is_told(
    client_of: ClientOf, drain: Drain, row: Resource, watcher: User, editor: User, when: str
) -> None:
    follow(client_of, row, watcher)
    held = Share.objects.filter(user=watcher)
    if when == "before":
        held.delete()
        send(client_of, row, editor)
        share(row, watcher, Level.VIEWER)
    else:
        send(client_of, row, editor)
        held.delete()
    drain()

    assert told() == [("owner@example.com", "resource.transitioned")]


def test_who_has_lost_access_may_still_end_following(client_of: ClientOf, row: Resource, watcher: User) -> None:
    follow(client_of, row, watcher)
    Share.objects.filter(user=watcher).delete()

    assert client_of(watcher).delete(path(row, "watch")).status_code == 204
    assert client_of(watcher).delete(path(row, "watch")).status_code == 404
    assert not Watch.objects.exists()


def test_who_ends_following_before_it_is_told_hears_nothing(
    client_of: ClientOf, drain: Drain, row: Resource, watcher: User, editor: User
) -> None:
    follow(client_of, row, watcher)
    send(client_of, row, editor)
    client_of(watcher).delete(path(row, "watch"))
    drain()

    assert told() == [("owner@example.com", "resource.transitioned")]


def test_nothing_is_told_of_what_lies_in_the_bin_by_then(
    client_of: ClientOf, drain: Drain, row: Resource, watcher: User, editor: User
) -> None:
    follow(client_of, row, watcher)
    send(client_of, row, editor)
    client_of(row.owner).delete(path(row))
    drain()

    assert told() == []


def test_being_told_of_does_not_let_one_read_the_event_without_access(
    client_of: ClientOf, row: Resource, watcher: User, editor: User
) -> None:
    follow(client_of, row, watcher)
    send(client_of, row, editor)
    event = Event.objects.get(type="resource.transitioned")
    assert watcher.pk in event.audience
    assert list(readable_resource_events(Caller.of(watcher), [event])) == [event.id]

    Share.objects.filter(user=watcher).delete()

    assert list(readable_resource_events(Caller.of(watcher), [event])) == []


def test_who_follows_is_known_to_themself_alone(client_of: ClientOf, row: Resource, watcher: User) -> None:
    follow(client_of, row, watcher)
    found = list(Event.objects.filter(type="watch.created"))

    heard = {user.name: list(own_watch_events(Caller.of(user), found)) for user in (watcher, row.owner)}
    assert heard == {"Wanda Watcher": [found[0].id], "Olive Owner": []}


def test_one_person_is_not_written_to_without_end(
    client_of: ClientOf, drain: Drain, row: Resource, watcher: User, editor: User
) -> None:
    follow(client_of, row, watcher)
    for _ in range(8):
        send(client_of, row, editor)
        Resource.objects.filter(pk=row.pk).update(status="draft")
    drain()

    assert told().count(("watcher@example.com", "resource.transitioned")) == 5


def test_a_resource_has_so_many_followers_and_no_more(
    client_of: ClientOf, row: Resource, watcher: User, editor: User, monkeypatch: Any
) -> None:
    monkeypatch.setattr(watching, "MOST_WATCHERS", 1)
    follow(client_of, row, watcher)

    answer = client_of(editor).put(path(row, "watch"))

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "CONFLICT")
    assert client_of(watcher).put(path(row, "watch")).status_code == 204
    assert Watch.objects.count() == 1


def test_both_owners_are_written_to_of_a_transfer_unless_they_made_it(
    client_of: ClientOf, drain: Drain, smtp_sink: SmtpSink, row: Resource, owner: User, admin: User
) -> None:
    heir = create_user(email="heir@example.com", name="Hera Heir")
    assert client_of(admin).post(path(row, "transfer"), {"owner": str(heir.pk)}).status_code == 200
    client_of(heir).patch(path(row), {"name": "A secret of the heir's"})
    drain()

    [to_heir], [to_owner] = smtp_sink.to("heir@example.com"), smtp_sink.to("owner@example.com")
    assert to_heir["Subject"] == "“A secret of the heir's” is yours now"
    assert to_owner["Subject"] == "“March” now belongs to Hera Heir"
    assert "Ada Admin has made Hera Heir the owner of “March”" in text_of(to_owner)
    assert "secret" not in text_of(to_owner)

    client_of(heir).post(path(row, "transfer"), {"owner": str(owner.pk)})
    drain()

    assert [mail["Subject"] for mail in smtp_sink.to("owner@example.com")][1:] == [
        "“A secret of the heir's” is yours now"
    ]
    assert len(smtp_sink.to("heir@example.com")) == 1
