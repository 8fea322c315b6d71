"""ETags of resources: the version, and what tells apart who sees it differently."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import Role, User
from accounts.tests.factories import create_user
from core.permissions import SYSTEM
from resources.access import Level
from resources.models import FileState, FileVersion, Resource
from resources.services import types
from resources.tests.factories import attach, create_file, create_resource, create_type, share

ClientOf = Callable[[User], Client]
PATH = "/api/v1/resources"
SEEN = re.compile(r'"1-[0-9a-f]{12}"')


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


def test_who_sees_less_has_another_one(
    client_of: ClientOf, record: Resource, owner: User, stranger: User, moderator: User, admin: User
) -> None:
    owning, other, third = (client_of(one) for one in (owner, stranger, create_user()))
    share(record, User.objects.get(id=third.get("/api/v1/users/me").json()["data"]["id"]), Level.VIEWER)
    tags = [tag(client, record) for client in (owning, other, third, client_of(moderator))]

    assert all(map(SEEN.fullmatch, tags))
    assert len({tags[0], tags[1], tags[3]}) == 3
    assert tags[1] == tags[2]
    assert tag(client_of(admin), record) == '"1"'

    answer = other.get(f"{PATH}/{record.id}", headers={"If-None-Match": tags[3]})
    assert (answer.status_code, answer.json()["data"]["data"]) == (200, {"desk": "7a"})
    assert other.get(f"{PATH}/{record.id}", headers={"If-None-Match": tags[1]}).status_code == 304


def test_changed_rules_change_it(client_of: ClientOf, record: Resource, stranger: User) -> None:
    client = client_of(stranger)
    known = tag(client, record)

    types.change_type(actor=SYSTEM, key="employee", changes={"schema": schema("moderator", "user")})

    answer = client.get(f"{PATH}/{record.id}", headers={"If-None-Match": known})
    assert (answer.status_code, answer.json()["data"]["data"]) == (200, {"salary": 4000, "desk": "7a"})
    assert answer["ETag"] != known
    types.change_type(actor=SYSTEM, key="employee", changes={"schema": {"type": "object"}})
    assert client.get(f"{PATH}/{record.id}", headers={"If-None-Match": answer["ETag"]})["ETag"] == '"1"'


def test_another_role_changes_it(client_of: ClientOf, record: Resource, stranger: User) -> None:
    known = tag(client_of(stranger), record)

    User.objects.filter(id=stranger.id).update(role=Role.objects.get(name="moderator"))

    answer = client_of(User.objects.get(id=stranger.id)).get(f"{PATH}/{record.id}", headers={"If-None-Match": known})
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
    assert second["ETag"].startswith('"3-')
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
    known = client.get(path, headers={"Accept-Encoding": "gzip", "If-None-Match": weak})
    assert (known.status_code, known["ETag"]) == (304, weak.removeprefix("W/"))
    assert client.patch(path, {"name": "B"}, headers={"If-Match": weak}).status_code == 200
    assert client.patch(path, {"name": "C"}, headers={"If-Match": weak}).status_code == 412
    assert client.delete(path, headers={"If-Match": weak}).status_code in {403, 412}
    assert Resource.objects.get(id=row.id).name == "B"


def test_what_is_embedded_changes_it(client_of: ClientOf, owner: User) -> None:
    row, client = create_resource(owner), client_of(owner)
    known = tag(client, row, "?include=comments")
    assert client.get(f"{PATH}/{row.id}?include=comments", headers={"If-None-Match": known}).status_code == 304

    client.post(f"{PATH}/{row.id}/comments", {"body": "Well said."})

    answer = client.get(f"{PATH}/{row.id}?include=comments", headers={"If-None-Match": known})
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


def test_an_old_version_has_it_too(client_of: ClientOf, record: Resource, stranger: User, moderator: User) -> None:
    client_of(stranger).patch(f"{PATH}/{record.id}", {"name": "B"})
    path = f"{PATH}/{record.id}/versions/2"
    tags = [client_of(one).get(path)["ETag"] for one in (stranger, moderator)]

    assert (tags[0][:3], tags[1]) == ('"2-', '"2"')
    answer = client_of(stranger).get(path, headers={"If-None-Match": tags[1]})
    assert (answer.status_code, answer.json()["data"]["snapshot"]["data"]) == (200, {"desk": "7a"})
    assert client_of(stranger).get(path, headers={"If-None-Match": tags[0]}).status_code == 304
