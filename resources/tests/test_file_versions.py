"""/files/{id}/versions: a newer content, and all that a file was."""

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.tests.answers import NOT_FOUND, PERMISSION_DENIED, error_of
from accounts.tests.test_races import at_once
from core.tests import pictures
from core.tests.spine import Drain, Events
from resources.access import Level
from resources.models import File, FileVersion, Resource
from resources.tests.factories import attach, create_file, create_resource, share
from resources.tests.test_files import fetched, rows, stored
from resources.tests.uploads import PATH, ClientOf, upload, uploaded


@pytest.fixture
def document(owner: User, local_files: Path) -> tuple[Resource, File]:
    """A private resource of the owner's, with a file."""
    resource, file = create_resource(owner), create_file(owner, b"First.\n", "plan.txt")
    attach(file, resource.pk)
    return resource, file


def test_a_newer_version_keeps_the_old(
    document: tuple[Resource, File], owner: User, client_of: ClientOf, drain: Drain, events: Events
) -> None:
    resource, file = document
    client, path = client_of(owner), f"{PATH}/{file.pk}"

    answer = upload(client, pictures.plain("PNG", (8, 4)), "plan.png", path=f"{path}/versions")

    data = answer.json()["data"]
    assert (answer.status_code, data["id"], data["version"], data["name"]) == (201, str(file.pk), 2, "plan.png")
    listed = client.get(f"{path}/versions").json()["data"]
    assert [(item["version"], item["name"], item["content_type"]) for item in listed] == [
        (2, "plan.png", "image/png"),
        (1, "plan.txt", "text/plain"),
    ]
    assert fetched(client, listed[1]["url"]).raw == b"First.\n"
    shown: Any = client.get(f"/api/v1/resources/{resource.pk}?include=files")
    assert [item["name"] for item in shown.json()["data"]["files"]] == ["plan.png"]
    assert shown.headers["ETag"] == '"2"'
    assert [event.type for event in events("file.*", "resource.*")] == ["file.version_added", "resource.file_changed"]

    client.delete(f"/api/v1/resources/{resource.pk}/files/{file.pk}")
    assert client.delete(path).status_code == 204
    drain()
    assert stored() == set()


def test_only_the_owner_gives_a_file_a_newer_version(
    document: tuple[Resource, File], stranger: User, admin: User, client_of: ClientOf, anonymous: Client
) -> None:
    resource, file = document
    path, theirs = f"{PATH}/{file.pk}/versions", client_of(stranger)
    before = rows()

    assert error_of(upload(theirs, path=path)) == error_of(theirs.get(path)) == NOT_FOUND
    assert error_of(anonymous.get(path)) == NOT_FOUND
    share(resource, stranger, Level.EDITOR)
    assert error_of(upload(theirs, path=path)) == PERMISSION_DENIED
    assert error_of(upload(client_of(admin), path=path)) == PERMISSION_DENIED

    assert theirs.get(path).status_code == 200
    assert rows() == before
    assert len(stored()) == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_newer_versions_at_once_each_has_its_number(
    owner: User, client_of: ClientOf, local_files: Path, settings: Any
) -> None:
    settings.FILES_QUOTA_MEBIBYTES = 1
    file, clients = create_file(owner), [client_of(owner) for _ in range(4)]

    codes = at_once(
        4, lambda index: upload(clients[index], bytes(300 * 1024), path=f"{PATH}/{file.pk}/versions").status_code
    )

    assert sorted(codes) == [201, 201, 201, 413]
    assert sorted(FileVersion.objects.values_list("number", flat=True)) == [1, 2, 3, 4]
    assert File.objects.get().version == 4
    assert len(stored()) == 4


def test_a_file_has_a_tag_that_a_newer_version_changes(owner: User, client_of: ClientOf, local_files: Path) -> None:
    client = client_of(owner)
    path = f"{PATH}/{uploaded(client)['id']}"
    first = client.get(path)["ETag"]

    known = client.get(path, headers={"If-None-Match": first})
    upload(client, b"Another.\n", path=f"{path}/versions")
    newer = client.get(path, headers={"If-None-Match": first})
    refused = client.delete(path, headers={"If-Match": first})

    assert (known.status_code, known.content) == (304, b"")
    assert (newer.status_code, newer.json()["data"]["version"]) == (200, 2)
    assert newer["ETag"].startswith('"2-')
    assert (refused.status_code, error_of(refused)["code"]) == (412, "PRECONDITION_FAILED")
    assert client.get(path).status_code == 200
    assert client.delete(path, headers={"If-Match": newer["ETag"]}).status_code == 204
    assert client.get(path).status_code == 404
