"""ETags of resources: the version, whoever asks; and 304 only where the answer would be what it always was."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.test import Client
from django.utils import timezone

from accounts.models import Role, User
from accounts.tests.factories import create_user
from core.permissions import SYSTEM
from resources.access import Level
from resources.models import AppearanceChange, Comment, FileState, FileVersion, Resource, Share
from resources.services import types
from resources.tasks import sweep_shares
from resources.tests.factories import attach, create_file, create_resource, create_type, share

ClientOf = Callable[[User], Client]
PATH = "/api/v1/resources"


def schema(*readers: str) -> dict[str, Any]:
    return {"type": "object", "properties": {"salary": {"type": "integer", "x-read": list(readers)}}}


@pytest.fixture
def record(owner: User, stranger: User, moderator: User) -> Resource:
    """A record with a field for moderators, which three people may write."""
    create_type("employee", schema=schema("moderator"))
    row = create_resource(owner, type_id="employee", data={"salary": 4000, "desk": "7a"})
    share(row, stranger, Level.EDITOR)
    share(row, moderator, Level.EDITOR)
    return row


def tag(client: Client, record: Resource, query: str = "") -> str:
    return str(client.get(f"{PATH}/{record.id}{query}")["ETag"])


def test_without_field_rules_it_is_the_version(client_of: ClientOf, owner: User, record: Resource) -> None:
    plain = create_resource(owner)

    assert tag(client_of(owner), plain) == '"1"'
    assert client_of(owner).patch(f"{PATH}/{plain.id}", {"name": "B"})["ETag"] == '"2"'


def known(client: Client, path: str, tag: str = '"1"') -> int:
    """Return what a client is told that has this version: 304, or 200 with the whole."""
    answer = client.get(path, headers={"If-None-Match": tag})
    assert answer["ETag"] == tag
    return int(answer.status_code)


def long_ago() -> None:
    """Let all that has changed have changed yesterday."""
    AppearanceChange.objects.update(changed_at=F("changed_at") - timedelta(days=1))


def test_who_sees_less_has_the_same_one_and_is_always_answered_whole(
    client_of: ClientOf, record: Resource, owner: User, stranger: User, moderator: User, admin: User
) -> None:
    owning, other, third = (client_of(one) for one in (owner, stranger, create_user()))
    share(record, User.objects.get(id=third.get("/api/v1/users/me").json()["data"]["id"]), Level.VIEWER)
    clients = (owning, other, third, client_of(moderator), client_of(admin))
    long_ago()

    assert {tag(client, record) for client in clients} == {'"1"'}
    assert {known(client, f"{PATH}/{record.id}") for client in clients} == {200}

    answer = other.get(f"{PATH}/{record.id}", headers={"If-None-Match": '"1"'})
    assert (answer.status_code, answer.json()["data"]["data"]) == (200, {"desk": "7a"})


def test_changed_rules_are_seen(client_of: ClientOf, record: Resource, stranger: User) -> None:
    client, path = client_of(stranger), f"{PATH}/{record.id}"
    assert client.get(path).json()["data"]["data"] == {"desk": "7a"}

    types.change_type(actor=SYSTEM, key="employee", changes={"schema": schema("moderator", "user")})

    answer = client.get(path, headers={"If-None-Match": '"1"'})
    assert (answer.status_code, answer.json()["data"]["data"]) == (200, {"salary": 4000, "desk": "7a"})
    types.change_type(actor=SYSTEM, key="employee", changes={"schema": {"type": "object"}})
    # Somebody may have it without the salary.
    assert known(client, path) == 200
    long_ago()
    assert known(client, path) == 304


def test_an_owner_who_is_renamed_is_seen(client_of: ClientOf, owner: User, stranger: User) -> None:
    row = create_resource(owner, visibility="internal")
    path, clients = f"{PATH}/{row.id}", [client_of(owner), client_of(stranger)]
    assert [known(client, path) for client in clients] == [304, 304]

    client_of(owner).patch("/api/v1/profile", {"name": "Ada Lovelace"})

    assert [known(client, path) for client in clients] == [200, 200]
    assert clients[1].get(path).json()["data"]["owner"]["name"] == "Ada Lovelace"
    Resource.objects.filter(id=row.id).update(version=2)
    assert known(clients[0], path, '"2"') == 200
    long_ago()
    assert [known(client, path, '"2"') for client in clients] == [304, 304]


def test_another_level_of_access_is_seen(client_of: ClientOf, owner: User, stranger: User) -> None:
    row = create_resource(owner, visibility="internal")
    client, path = client_of(stranger), f"{PATH}/{row.id}"
    assert (client.get(path).json()["data"]["access"], known(client, path)) == ("viewer", 304)

    given = share(row, stranger, Level.EDITOR)

    assert (client.get(path).json()["data"]["access"], known(client, path)) == ("editor", 200)
    long_ago()
    assert known(client, path) == 304
    Share.objects.filter(id=given.id).update(access=Level.COMMENTER)
    assert (client.get(path).json()["data"]["access"], known(client, path)) == ("commenter", 200)
    long_ago()
    Share.objects.all().delete()
    assert (client.get(path).json()["data"]["access"], known(client, path)) == ("viewer", 200)
    # To its owner nothing of this makes a difference.
    assert known(client_of(owner), path) == 304


def test_a_share_that_ends_by_itself_is_never_taken_for_lasting(
    client_of: ClientOf, owner: User, stranger: User, moderator: User
) -> None:
    row = create_resource(owner, visibility="internal")
    by_time = share(row, stranger, Level.EDITOR)
    Share.objects.filter(id=by_time.id).update(expires_at=timezone.now() + timedelta(hours=1))
    Share.objects.create(resource=row, role=moderator.role, access=Level.EDITOR, given_by=stranger, through=by_time)
    long_ago()

    assert [known(client_of(one), f"{PATH}/{row.id}") for one in (stranger, moderator)] == [200, 200]


def test_a_role_that_permits_something_else_is_seen(client_of: ClientOf, owner: User, stranger: User) -> None:
    row = create_resource(owner, visibility="internal")
    path = f"{PATH}/{row.id}"
    assert known(client_of(stranger), path) == 304

    role = stranger.role
    Role.objects.filter(id=role.id).update(permissions=[*role.permissions, "write:resource"])

    client = client_of(User.objects.get(id=stranger.id))
    assert (client.get(path).json()["data"]["access"], known(client, path)) == ("editor", 200)


def test_the_sweep_keeps_the_newest_of_each(client_of: ClientOf, owner: User, stranger: User) -> None:
    row, gone = create_resource(owner), create_resource(owner)
    for one in (row, gone):
        share(one, stranger, Level.VIEWER)
    Share.objects.all().delete()
    Resource.all_objects.filter(id=gone.id).delete()
    newest = AppearanceChange.objects.filter(subject=str(row.id)).latest("changed_at")
    assert AppearanceChange.objects.count() == 4

    sweep_shares()

    assert list(AppearanceChange.objects.values_list("pk", flat=True)) == [newest.pk]


def test_another_role_is_seen(client_of: ClientOf, record: Resource, stranger: User) -> None:
    before = tag(client_of(stranger), record)

    User.objects.filter(id=stranger.id).update(role=Role.objects.get(name="moderator"))

    answer = client_of(User.objects.get(id=stranger.id)).get(f"{PATH}/{record.id}", headers={"If-None-Match": before})
    assert (answer.status_code, answer.json()["data"]["data"]["salary"]) == (200, 4000)


def test_a_write_goes_by_the_version_in_it(
    client_of: ClientOf, record: Resource, stranger: User, moderator: User
) -> None:
    client, path = client_of(stranger), f"{PATH}/{record.id}"
    own, others = tag(client, record), tag(client_of(moderator), record)

    first = client.patch(path, {"data": {"desk": "8b"}}, headers={"If-Match": own})
    late = [client.patch(path, {"name": "Late"}, headers={"If-Match": one}) for one in (own, others, '"1"')]
    second = client.patch(path, {"name": "Second"}, headers={"If-Match": first["ETag"]})

    assert (first.status_code, [one.status_code for one in late], second.status_code) == (200, [412] * 3, 200)
    assert second["ETag"] == '"3"'
    assert second.json()["data"]["data"] == {"desk": "8b"}
    assert Resource.objects.get(id=record.id).data == {"salary": 4000, "desk": "8b"}
    assert client.patch(path, {"name": "Third"}, headers={"If-Match": '"3"'}).status_code == 200
    assert client.patch(path, {"name": "No"}, headers={"If-Match": '"4-zzzzzzzzzzzz"'}).status_code == 412


@pytest.mark.parametrize("ruled", [True, False])
def test_the_one_seen_in_a_compressed_answer_serves(
    client_of: ClientOf, record: Resource, stranger: User, ruled: bool
) -> None:
    create_type("open")
    row = record if ruled else create_resource(stranger, type_id="open")
    Resource.objects.filter(id=row.id).update(description="words " * 400)
    client, path = client_of(stranger), f"{PATH}/{row.id}"

    answer = client.get(path, headers={"Accept-Encoding": "gzip"})

    weak = answer["ETag"]
    assert (answer["Content-Encoding"], weak[:4]) == ("gzip", 'W/"1')
    assert "Accept-Encoding" in answer["Vary"]
    again = client.get(path, headers={"Accept-Encoding": "gzip", "If-None-Match": weak})
    # Of a type that hides anything the answer is always whole.
    assert (again.status_code, again["ETag"]) == ((200, weak) if ruled else (304, weak.removeprefix("W/")))
    assert client.patch(path, {"name": "B"}, headers={"If-Match": weak}).status_code == 200
    assert client.patch(path, {"name": "C"}, headers={"If-Match": weak}).status_code == 412
    assert client.delete(path, headers={"If-Match": weak}).status_code in {403, 412}
    assert Resource.objects.get(id=row.id).name == "B"


def test_what_is_embedded_is_seen(client_of: ClientOf, owner: User, stranger: User) -> None:
    row, client = create_resource(owner), client_of(owner)
    before = tag(client, row, "?include=comments")
    assert client.get(f"{PATH}/{row.id}?include=comments", headers={"If-None-Match": before}).status_code == 304
    assert known(client, f"{PATH}/{row.id}?include=shares,comments") == 304

    client.post(f"{PATH}/{row.id}/comments", {"body": "Well said."})
    share(row, stranger, Level.VIEWER)

    long_ago()
    assert known(client, f"{PATH}/{row.id}?include=shares") == known(client, f"{PATH}/{row.id}?include=comments") == 200
    assert known(client, f"{PATH}/{row.id}") == 304
    answer = client.get(f"{PATH}/{row.id}?include=comments", headers={"If-None-Match": before})
    assert (answer.status_code, len(answer.json()["data"]["comments"])) == (200, 1)
    assert client.patch(f"{PATH}/{row.id}", {"name": "B"}, headers={"If-Match": answer["ETag"]}).status_code == 200
    assert client.patch(f"{PATH}/{row.id}", {"name": "C"}, headers={"If-Match": answer["ETag"]}).status_code == 412


def test_so_do_an_owner_who_is_renamed_and_a_file_that_is_refused(
    client_of: ClientOf, owner: User, stranger: User
) -> None:
    row, client = create_resource(owner, visibility="internal"), client_of(stranger)
    file = create_file(owner)
    attach(file, row.id)
    path, known = f"{PATH}/{row.id}", {name: tag(client, row, f"?include={name}") for name in ("owner", "files")}

    client_of(owner).patch("/api/v1/profile", {"name": "Ada Lovelace"})
    FileVersion.objects.filter(file=file).update(state=FileState.REJECTED)

    answers = {
        name: client.get(f"{path}?include={name}", headers={"If-None-Match": one}) for name, one in known.items()
    }
    assert {name: answer.status_code for name, answer in answers.items()} == {"owner": 200, "files": 200}
    assert answers["owner"].json()["data"]["owner"]["name"] == "Ada Lovelace"


def test_an_old_version_has_its_number(
    client_of: ClientOf, record: Resource, owner: User, stranger: User, moderator: User
) -> None:
    client_of(stranger).patch(f"{PATH}/{record.id}", {"name": "B"})
    path = f"{PATH}/{record.id}/versions/2"
    tags = [client_of(one).get(path)["ETag"] for one in (stranger, moderator)]

    assert tags == ['"2"', '"2"']
    answer = client_of(stranger).get(path, headers={"If-None-Match": tags[1]})
    assert (answer.status_code, answer.json()["data"]["snapshot"]["data"]) == (200, {"desk": "7a"})
    made = client_of(owner).post(PATH, {"name": "Plain", "data": {}}).json()["data"]["id"]
    plain = f"{PATH}/{made}/versions/1"
    assert known(client_of(owner), plain) == 304
    client_of(owner).patch("/api/v1/profile", {"name": "Ada Lovelace"})
    assert known(client_of(owner), plain) == 200
    assert client_of(owner).get(plain).json()["data"]["actor"]["name"] == "Ada Lovelace"


def test_an_author_who_is_renamed_is_seen_in_a_comment_and_a_view(client_of: ClientOf, owner: User) -> None:
    client, row = client_of(owner), create_resource(owner)
    client.post(f"{PATH}/{row.id}/comments", {"body": "Well said."})
    view = client.post("/api/v1/saved-views", {"name": "Mine", "filters": {}}).json()["data"]["id"]
    paths = [f"{PATH}/{row.id}/comments/{Comment.objects.get().id}", f"/api/v1/saved-views/{view}"]
    assert [known(client, path) for path in paths] == [304, 304]

    client.patch("/api/v1/profile", {"name": "Ada Lovelace"})

    assert [known(client, path) for path in paths] == [200, 200]


def test_what_a_link_shows_is_known_only_while_it_is_the_same(
    client_of: ClientOf, owner: User, record: Resource
) -> None:
    client, plain = client_of(owner), create_resource(owner)
    paths = []
    for row in (plain, record):
        made = client.post(f"{PATH}/{row.id}/shares", {"link": {}, "access": "viewer"}).json()["data"]
        paths.append(f"/api/v1/shared/{made['token']}")
    assert [known(Client(), path) for path in paths] == [304, 200]

    client.patch("/api/v1/profile", {"name": "Ada Lovelace"})

    assert [known(Client(), path) for path in paths] == [200, 200]
