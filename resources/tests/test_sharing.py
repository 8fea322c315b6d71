"""Sharing over the API: who may, what is given, what becomes of it when whoever gave it loses access."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import Role, User
from accounts.tests.factories import create_user
from core.live.feed import now, read_after
from core.models import Event
from notifications.models import Message
from resources.access import Level
from resources.models import Resource, Share
from resources.tests.factories import caller, create_resource, share

ClientOf = Callable[[User], Client]

pytestmark = pytest.mark.django_db


@pytest.fixture
def thing(owner: User) -> Resource:
    return create_resource(owner, name="Plan")


def path(resource: Resource, *parts: object) -> str:
    return "/".join([f"/api/v1/resources/{resource.pk}", *map(str, parts)])


def give(client: Client, resource: Resource, user: User, access: str = "viewer", **more: Any) -> Any:
    return client.post(path(resource, "shares"), {"user": str(user.pk), "access": access, **more})


def made(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 201, answer.content
    return dict(answer.json()["data"])


def code_of(answer: Any) -> str:
    return str(answer.json()["error"]["details"][0]["code"])


def test_the_owner_shares_and_the_receiver_reads_is_told_and_is_written_to(
    owner: User, stranger: User, thing: Resource, client_of: ClientOf, drain: Callable[..., int]
) -> None:
    reader = client_of(stranger)
    assert reader.get(path(thing)).status_code == 404

    answer = give(client_of(owner), thing, stranger, "editor")

    shown = made(answer)
    assert answer["Location"] == path(thing, "shares", shown["id"])
    assert answer["Cache-Control"] == "no-store"
    assert shown | {"id": "", "created_at": ""} == {
        "id": "",
        "user": {"id": str(stranger.pk), "name": "Sam Stranger", "avatar": None},
        "role": None,
        "link": None,
        "access": "editor",
        "expires_at": None,
        "given_by": {"id": str(owner.pk), "name": "Olive Owner", "avatar": None},
        "live": True,
        "created_at": "",
    }
    assert reader.get(path(thing)).json()["data"]["access"] == "editor"
    assert reader.patch(path(thing), {"name": "Ours"}).status_code == 200
    event = Event.objects.get(type="share.created")
    assert (event.subject_id, set(event.audience)) == (shown["id"], {owner.pk, stranger.pk})
    drain()
    message = Message.objects.get(kind="resource.shared")
    assert (message.recipient_id, message.notification.user_id) == (stranger.pk, stranger.pk)  # type: ignore[union-attr]
    told = reader.get("/api/v1/notifications").json()["data"]
    assert [(row["title"], row["text"], row["subject"]["id"]) for row in told] == [
        ("Olive Owner shared “Ours” with you", "You are editor of it.", str(thing.pk))
    ]
    assert told[0]["data"] == {"giver": "Olive Owner", "resource": "Ours", "access": "editor"}


def test_a_role_that_something_is_shared_with_reads_it_and_gets_no_mail(
    owner: User, stranger: User, thing: Resource, client_of: ClientOf, drain: Callable[..., int]
) -> None:
    body = {"role": "user", "access": "commenter"}

    shown = made(client_of(owner).post(path(thing, "shares"), body))

    assert (shown["role"], shown["user"]) == ("user", None)
    assert client_of(stranger).get(path(thing)).json()["data"]["access"] == "commenter"
    drain()
    assert not Message.objects.exists()


@pytest.mark.parametrize("level", ["viewer", "commenter", "editor"])
def test_who_is_less_than_a_manager_neither_shares_nor_sees_the_shares(
    owner: User, stranger: User, thing: Resource, client_of: ClientOf, level: str
) -> None:
    theirs = share(thing, stranger, Level[level.upper()])
    friend, client = create_user(), client_of(stranger)

    assert give(client, thing, friend).status_code == 403
    assert client.get(path(thing, "shares")).status_code == 403
    assert client.patch(path(thing, "shares", theirs.pk), {"access": "manager"}).status_code == 403
    assert list(Share.objects.values_list("pk", "access")) == [(theirs.pk, Level[level.upper()])]
    assert not Event.objects.filter(type__startswith="share.").exists()


def test_who_may_not_read_does_not_learn_that_there_is_something(
    stranger: User, thing: Resource, client_of: ClientOf
) -> None:
    client = client_of(stranger)

    assert give(client, thing, create_user()).status_code == 404
    assert client.get(path(thing, "shares")).status_code == 404
    assert client.get(path(thing, "access")).status_code == 404


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"access": "viewer"}, "one_receiver"),
        ({"role": "user", "link": {}, "access": "viewer"}, "one_receiver"),
        ({"role": "nobody", "access": "viewer"}, "does_not_exist"),
        ({"role": "user", "access": "owner"}, "invalid_choice"),
        ({"role": "user", "access": "admin"}, "invalid_choice"),
        ({"role": "user"}, "required"),
        ({"link": {}, "access": "commenter"}, "too_much"),
        ({"link": {"max_uses": 0}, "access": "viewer"}, "min_value"),
        ({"link": {"password": "short"}, "access": "viewer"}, "min_length"),
        ({"link": {"token": "mine"}, "access": "viewer"}, "unknown_field"),
        ({"user": "me", "access": "viewer"}, "no_user"),
        ({"role": "user", "access": "viewer", "expires_at": "2020-01-01T00:00:00Z"}, "past"),
    ],
)
def test_what_cannot_be_given_is_refused(
    owner: User, thing: Resource, client_of: ClientOf, body: dict[str, Any], code: str
) -> None:
    answer = client_of(owner).post(path(thing, "shares"), body)

    assert (answer.status_code, code_of(answer)) == (400, code)
    assert not Share.objects.exists()


def test_the_unknown_the_disabled_and_the_deleted_are_refused_alike(
    owner: User, thing: Resource, client_of: ClientOf
) -> None:
    client, unknown = client_of(owner), thing.pk
    ids = [unknown, create_user(is_active=False).pk, create_user(deleted_at=datetime.now(UTC)).pk]

    bodies = [{"user": str(number), "access": "viewer"} for number in ids]
    answers = [client.post(path(thing, "shares"), body) for body in bodies]

    assert {answer.status_code for answer in answers} == {400}
    errors = [{**answer.json()["error"], "request_id": ""} for answer in answers]
    assert errors[0] == errors[1] == errors[2]


def test_an_address_finds_somebody_only_for_who_may_look_users_up(
    owner: User, admin: User, stranger: User, thing: Resource, client_of: ClientOf
) -> None:
    known = {"user": stranger.email.upper(), "access": "viewer"}
    unknown = {"user": "nobody@example.com", "access": "viewer"}
    client = client_of(owner)

    answers = [client.post(path(thing, "shares"), body) for body in (known, unknown)]

    assert {(answer.status_code, code_of(answer)) for answer in answers} == {(400, "does_not_exist")}
    shown = made(client_of(admin).post(path(thing, "shares"), known))
    assert shown["user"]["id"] == str(stranger.pk)


def test_nothing_is_shared_with_oneself_or_the_owner(
    owner: User, stranger: User, thing: Resource, client_of: ClientOf
) -> None:
    share(thing, stranger, Level.MANAGER)
    manager = client_of(stranger)

    answers = [give(client_of(owner), thing, owner), give(manager, thing, owner), give(manager, thing, stranger)]

    assert {(answer.status_code, code_of(answer)) for answer in answers} == {(400, "has_access")}


def test_a_second_share_to_the_same_receiver_is_a_conflict_unless_the_first_no_longer_holds(
    owner: User, stranger: User, thing: Resource, client_of: ClientOf
) -> None:
    client = client_of(owner)
    first = made(give(client, thing, stranger))

    second = give(client, thing, stranger, "editor")

    assert second.status_code == 409
    assert first["id"] in second.json()["error"]["message"]
    Share.objects.update(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    third = made(give(client, thing, stranger, "editor"))
    assert list(Share.objects.values_list("pk", flat=True).filter(pk=third["id"])) == [Share.objects.get().pk]


def test_what_a_manager_gave_dies_with_their_access_and_revives_with_it(
    owner: User, stranger: User, thing: Resource, client_of: ClientOf
) -> None:
    friend = create_user()
    own = made(give(client_of(owner), thing, stranger, "manager"))
    made(give(client_of(stranger), thing, friend, "manager"))
    reader, of_owner = client_of(friend), client_of(owner)
    assert reader.get(path(thing)).json()["data"]["access"] == "manager"

    of_owner.patch(path(thing, "shares", own["id"]), {"access": "editor"})
    assert reader.get(path(thing)).status_code == 404
    shares = of_owner.get(path(thing, "shares")).json()["data"]
    assert [row["live"] for row in shares] == [False, True]

    of_owner.patch(path(thing, "shares", own["id"]), {"access": "manager"})
    assert reader.get(path(thing)).status_code == 200
    User.objects.filter(pk=stranger.pk).update(is_active=False)
    assert reader.get(path(thing)).status_code == 404


def test_what_was_given_by_way_of_a_role_dies_when_the_giver_leaves_it(
    owner: User, stranger: User, thing: Resource, client_of: ClientOf
) -> None:
    role, friend = Role.objects.create(name="team", permissions=[]), create_user()
    User.objects.filter(pk=stranger.pk).update(role=role)
    client_of(owner).post(path(thing, "shares"), {"role": "team", "access": "manager"})
    made(give(client_of(stranger), thing, friend))
    reader = client_of(friend)
    assert reader.get(path(thing)).status_code == 200

    User.objects.filter(pk=stranger.pk).update(role=Role.objects.get(name="user"))

    assert reader.get(path(thing)).status_code == 404


def test_taking_a_share_back_takes_all_that_was_given_through_it_and_holds_from_the_next_request_on(
    owner: User, stranger: User, thing: Resource, client_of: ClientOf
) -> None:
    friend = create_user()
    own = made(give(client_of(owner), thing, stranger, "manager"))
    made(give(client_of(stranger), thing, friend, "editor"))
    reader, position = client_of(friend), now()
    assert reader.get(path(thing)).status_code == 200

    assert client_of(owner).delete(path(thing, "shares", own["id"])).status_code == 204

    assert reader.get(path(thing)).status_code == 404
    assert not Share.objects.exists()
    assert Event.objects.filter(type="share.removed").count() == 2
    client_of(owner).patch(path(thing), {"name": "Secret"})
    heard = {event.type for event in read_after(position, caller(friend)).events}
    assert "resource.updated" not in heard


def test_everyone_may_give_back_what_was_given_to_them(
    owner: User, stranger: User, thing: Resource, client_of: ClientOf
) -> None:
    theirs, other = share(thing, stranger, Level.VIEWER), share(thing, create_user(), Level.VIEWER)
    client = client_of(stranger)

    assert client.delete(path(thing, "shares", other.pk)).status_code == 403
    assert client.delete(path(thing, "shares", theirs.pk)).status_code == 204

    assert client.get(path(thing)).status_code == 404
    assert list(Share.objects.all()) == [other]


def test_nobody_widens_the_share_that_they_hold_their_own_access_by(
    owner: User, stranger: User, thing: Resource, client_of: ClientOf
) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    own = made(give(client_of(owner), thing, stranger, "manager", expires_at=soon))
    friend = create_user()
    theirs = made(give(client_of(stranger), thing, friend, "manager"))

    for client in (client_of(stranger), client_of(friend)):
        assert client.patch(path(thing, "shares", own["id"]), {"expires_at": None}).status_code == 403
    assert client_of(friend).patch(path(thing, "shares", theirs["id"]), {"expires_at": None}).status_code == 200

    assert Share.objects.get(pk=own["id"]).expires_at is not None
    Share.objects.filter(pk=own["id"]).update(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert client_of(friend).get(path(thing)).status_code == 404


def test_who_widens_a_share_vouches_for_it_and_who_narrows_it_does_not(
    owner: User, stranger: User, thing: Resource, client_of: ClientOf
) -> None:
    friend = create_user()
    own = share(thing, stranger, Level.MANAGER)
    theirs = made(give(client_of(owner), thing, friend, "editor"))["id"]
    manager = client_of(stranger)

    narrowed = manager.patch(path(thing, "shares", theirs), {"access": "viewer"}).json()["data"]
    assert narrowed["given_by"]["id"] == str(owner.pk)
    widened = manager.patch(path(thing, "shares", theirs), {"access": "manager"}).json()["data"]
    assert widened["given_by"]["id"] == str(stranger.pk)

    assert Share.objects.get(pk=theirs).through_id == own.pk
    event = Event.objects.filter(type="share.changed").latest("seq")
    assert event.payload == {"before": {"access": "viewer"}, "after": {"access": "manager"}}


def test_what_was_read_can_be_changed_and_sent_back_whole(
    owner: User, stranger: User, thing: Resource, client_of: ClientOf
) -> None:
    client = client_of(owner)
    for body in ({"user": str(stranger.pk), "access": "viewer"}, {"link": {"max_uses": 3}, "access": "viewer"}):
        read = made(client.post(path(thing, "shares"), body))
        sent = {name: value for name, value in read.items() if name not in {"token", "url"}}

        answer = client.patch(path(thing, "shares", read["id"]), {**sent, "expires_at": "2099-01-01T00:00:00Z"})

        assert answer.json()["data"] == {**sent, "expires_at": "2099-01-01T00:00:00.000000Z"}


def test_access_goes_through_ten_hands_at_most(owner: User, thing: Resource, client_of: ClientOf) -> None:
    giver = owner
    for _ in range(10):
        receiver = create_user()
        made(give(client_of(giver), thing, receiver, "manager"))
        giver = receiver

    assert give(client_of(giver), thing, create_user()).status_code == 409


def test_shares_are_included_for_managers_and_null_for_everyone_else(
    owner: User, stranger: User, thing: Resource, client_of: ClientOf, anonymous: Client
) -> None:
    Resource.objects.filter(pk=thing.pk).update(visibility="public")
    client = client_of(owner)
    made(give(client, thing, stranger))
    made(client.post(path(thing, "shares"), {"role": "user", "access": "commenter", "expires_at": "2099-01-01T00:00Z"}))
    made(client.post(path(thing, "shares"), {"link": {"password": "open sesame"}, "access": "viewer"}))
    listed = client.get(path(thing, "shares")).json()["data"]

    assert client.get(path(thing), {"include": "shares"}).json()["data"]["shares"] == listed
    assert client.get("/api/v1/resources", {"include": "shares"}).json()["data"][0]["shares"] == listed
    assert client_of(stranger).get(path(thing), {"include": "shares"}).json()["data"]["shares"] is None
    assert anonymous.get(path(thing), {"include": "shares"}).json()["data"]["shares"] is None


def test_lists_are_filtered_by_the_access_that_one_has(
    owner: User, stranger: User, admin: User, client_of: ClientOf, anonymous: Client
) -> None:
    create_resource(stranger, name="own")
    create_resource(owner, name="open", visibility="public")
    for level in Level.shareable():
        share(create_resource(owner, name=level.label), stranger, level)

    def names(client: Client, level: str) -> set[str]:
        answer = client.get("/api/v1/resources", {"access": level}).json()
        assert answer["meta"]["total"] == len(answer["data"])
        return {row["name"] for row in answer["data"]}

    levels = ["viewer", "commenter", "editor", "manager", "owner", "admin"]
    assert [names(client_of(stranger), level) for level in levels] == [
        {"viewer", "open"}, {"commenter"}, {"editor"}, {"manager"}, {"own"}, set(),
    ]  # fmt: skip
    assert len(names(client_of(admin), "admin")) == 6
    assert [names(anonymous, level) for level in levels] == [{"open"}, set(), set(), set(), set(), set()]
    assert client_of(owner).get("/api/v1/resources", {"access": "none"}).status_code == 400


def test_the_access_endpoint_says_why_and_what_is_missing(
    owner: User, stranger: User, admin: User, thing: Resource, client_of: ClientOf
) -> None:
    share(thing, stranger, Level.VIEWER)
    client = client_of(stranger)

    def verdict(asking: Client, **query: str) -> Any:
        return asking.get(path(thing, "access"), query).json().get("data")

    assert verdict(client) == {"allowed": True, "because": ["share"], "would_need": []}
    assert verdict(client, action="write") == {
        "allowed": False, "because": [], "would_need": ["owner", "share:editor", "permission:write:resource"],
    }  # fmt: skip
    assert verdict(client_of(owner), user=str(stranger.pk)) == verdict(client)
    assert verdict(client_of(admin), user=str(stranger.pk)) == verdict(client)
    assert verdict(client_of(owner), action="destroy")["because"] == ["owner"]
    User.objects.filter(pk=stranger.pk).update(is_active=False)
    assert verdict(client_of(owner), user=str(stranger.pk)) == {
        "allowed": False, "because": [], "would_need": ["account:enabled"],
    }  # fmt: skip


def test_the_access_of_others_is_for_those_who_share_or_audit(
    owner: User, stranger: User, moderator: User, thing: Resource, client_of: ClientOf, anonymous: Client
) -> None:
    share(thing, stranger, Level.EDITOR)
    user = {"user": str(owner.pk)}

    assert client_of(stranger).get(path(thing, "access"), user).status_code == 403
    assert client_of(owner).get(path(thing, "access"), {"user": str(thing.pk)}).status_code == 400
    assert client_of(owner).get(path(thing, "access"), {"action": "fly"}).status_code == 400
    assert anonymous.get(path(thing, "access"), user).status_code == 401
    role = Role.objects.create(name="auditor", permissions=["read:audit"])
    assert client_of(create_user(role.name)).get(path(thing, "access"), user).status_code == 200
