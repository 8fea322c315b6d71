"""/files/{id}/versions/presign: newer contents that clients send straight to the storage."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.test import Client
from django.utils import timezone

from accounts.models import User
from accounts.tests.answers import NOT_FOUND, PERMISSION_DENIED, error_of
from accounts.tests.test_races import at_once
from core.models import Event
from core.tests.spine import Drain, Events
from resources.models import File, FileState, FileVersion, Resource
from resources.services.uploads import sweep_unfinished
from resources.tests.factories import attach, create_file, create_resource
from resources.tests.uploads import PATH, ClientOf, announced, post, send, upload

NEWER = b"A newer note.\n"
pytestmark = pytest.mark.usefixtures("stored_files")


@pytest.fixture
def client(client_of: ClientOf, owner: User) -> Client:
    return client_of(owner)


@pytest.fixture
def file(owner: User) -> File:
    return create_file(owner)


def announce_version(client: Client, file: File, content: bytes = NEWER, **said: Any) -> Any:
    told = {"filename": "newer.txt", "content_type": "text/plain", "size": len(content), **said}
    return post(client, f"/files/{file.pk}/versions/presign", told)


def way_to_version(client: Client, file: File, content: bytes = NEWER, **said: Any) -> dict[str, Any]:
    answer = announce_version(client, file, content, **said)
    assert answer.status_code == 201, answer.content
    way: dict[str, Any] = answer.json()["data"]
    return way


def complete(client: Client, file: File) -> Any:
    return post(client, f"/files/{file.pk}/complete")


def shown(client: Client, file: File) -> tuple[int, str, str]:
    data = client.get(f"{PATH}/{file.pk}").json()["data"]
    return data["version"], data["name"], data["state"]


def test_it_is_shown_when_it_is_complete_and_not_before(
    client: Client, file: File, owner: User, events: Events, drain: Drain
) -> None:
    row = create_resource(owner)
    attach(file, row.id)

    way = way_to_version(client, file, sha256=hashlib.sha256(NEWER).hexdigest())
    assert (way["id"], shown(client, file)) == (str(file.pk), (1, "note.txt", "ready"))
    assert [one["version"] for one in client.get(f"{PATH}/{file.pk}/versions").json()["data"]] == [1]
    pending = FileVersion.objects.get(number=2)
    assert complete(client, file).status_code == 409
    assert send(way, NEWER) in {200, 201, 204}

    answers = [complete(client, file) for _ in range(2)]

    assert [(one.status_code, one.json()["data"]["version"]) for one in answers] == [(200, 2)] * 2
    assert shown(client, file) == (2, "newer.txt", "ready")
    assert [one["version"] for one in client.get(f"{PATH}/{file.pk}/versions").json()["data"]] == [2, 1]
    with default_storage.open(FileVersion.objects.get(number=2).key) as content:
        assert content.read() == NEWER
    assert Resource.objects.get(id=row.id).version == 2
    told = [event.type for event in events("file.*", "resource.*")]
    assert told == ["file.announced", "file.version_added", "resource.file_changed"]
    drain()
    assert default_storage.exists(FileVersion.objects.get(number=2).key)
    assert not default_storage.exists(pending.key)


@pytest.mark.parametrize(
    ("said", "content", "code"),
    [
        ({"sha256": "0" * 64}, NEWER, "hash_mismatch"),
        ({"content_type": "image/png", "filename": "a.png"}, NEWER, "not_an_image"),
    ],
)
def test_what_is_not_as_announced_leaves_the_file_as_it_was(
    client: Client, file: File, said: dict[str, Any], content: bytes, code: str
) -> None:
    send(way_to_version(client, file, content, **said), content)

    answers = [complete(client, file) for _ in range(2)]

    assert [(one.status_code, one.json()["error"]["details"][0]["code"]) for one in answers] == [(400, code)] * 2
    assert shown(client, file) == (1, "note.txt", "ready")
    assert client.get(f"{PATH}/{file.pk}/content").status_code == 302


def test_it_is_for_the_owner(client_of: ClientOf, file: File, owner: User, stranger: User, admin: User) -> None:
    before = Event.objects.count()

    assert error_of(announce_version(client_of(stranger), file)) == NOT_FOUND
    attach(file, create_resource(owner, visibility="internal").id)
    assert error_of(announce_version(client_of(stranger), file)) == PERMISSION_DENIED
    assert error_of(announce_version(client_of(admin), file)) == PERMISSION_DENIED
    way_to_version(client_of(owner), file)
    assert error_of(complete(client_of(stranger), file)) == PERMISSION_DENIED

    assert (FileVersion.objects.count(), Event.objects.count()) == (2, before + 1)


def test_its_room_is_kept_and_its_number_is_its_own(client: Client, file: File, settings: Any) -> None:
    settings.FILES_QUOTA_MEBIBYTES = 1
    assert announce_version(client, file, b"x" * 2**20).status_code == 413
    first = way_to_version(client, file)

    sent = upload(client, b"Between.\n", path=f"{PATH}/{file.pk}/versions")
    assert (sent.status_code, sent.json()["data"]["version"]) == (201, 3)
    send(first, NEWER)
    # What was announced earlier is older than what came in meanwhile.
    assert complete(client, file).json()["data"]["version"] == 3

    FileVersion.objects.filter(number=3).update(number=100)
    File.objects.update(version=100)
    assert announce_version(client, file).status_code == 409
    pending = create_file(file.owner)
    FileVersion.objects.filter(file=pending).update(state=FileState.PENDING)
    assert announce_version(client, pending).status_code == 409


def test_one_that_never_came_goes_alone(client: Client, file: File, events: Events) -> None:
    way_to_version(client, file)
    first = announced(client, NEWER)
    FileVersion.objects.update(created_at=timezone.now() - timedelta(hours=3))

    assert sweep_unfinished() == 2

    assert shown(client, file) == (1, "note.txt", "ready")
    assert list(File.objects.values_list("pk", flat=True)) == [file.pk]
    assert [event.type for event in events("file.*")] == [
        *["file.announced"] * 2, "file.version_removed", "file.deleted",
    ]  # fmt: skip
    assert client.get(f"{PATH}/{first['id']}").status_code == 404
    assert complete(client, file).json()["data"]["version"] == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("transactional_db")
def test_of_two_completions_at_once_one_has_the_effect(client_of: ClientOf, owner: User) -> None:
    file = create_file(owner)
    send(way_to_version(client_of(owner), file), NEWER)

    clients = [client_of(owner) for _ in range(3)]

    answers = at_once(3, lambda number: complete(clients[number], file))

    assert [(one.status_code, one.json()["data"]["version"]) for one in answers] == [(200, 2)] * 3
    assert Event.objects.filter(type="file.version_added").count() == 1
