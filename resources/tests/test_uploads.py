"""/files/presign and /files/{id}/complete: contents that clients send straight to the storage, on both storages."""

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import urllib3
from django.core.files.storage import default_storage
from django.test import Client
from django.utils import timezone

from accounts.models import User
from accounts.tests.answers import NOT_AUTHENTICATED, NOT_FOUND, PERMISSION_DENIED, error_of, refusal
from accounts.tests.test_races import at_once
from core.models import Event, OutboxRow
from core.tests import pictures
from core.tests.spine import Drain, Events
from core.tests.test_images import peak_growth
from resources.models import File, FileState, FileVersion
from resources.services.file_sweeps import sweep_unnamed
from resources.services.uploads import sweep_unfinished
from resources.tests.factories import create_file, create_resource
from resources.tests.uploads import PATH, ClientOf, announce, announced, archive, large_png_header, post, send

MEBIBYTE = 1024 * 1024
NOTE = b"A note that is longer.\n"


def stored() -> set[str]:
    """Return the tops of what is stored: what is examined, and what is not."""
    return {
        f"{top}/{folder}/{name}"
        for top in ("files", "uploads")
        for folder in listed(top)[0]
        for name in listed(f"{top}/{folder}")[1]
    }


@pytest.fixture
def kept(stored_files: None) -> Callable[[], set[str]]:
    """`kept()`: what is stored that was not when the test began; tests share one S3 server."""
    before = stored()
    return lambda: stored() - before


def listed(folder: str) -> tuple[list[str], list[str]]:
    try:
        return default_storage.listdir(folder)
    except FileNotFoundError:
        return [], []


def rows() -> list[int]:
    return [model.objects.count() for model in (File, FileVersion, Event, OutboxRow)]


class Zeros:
    """A body of so many zeros that is nowhere in memory."""

    def __init__(self, size: int) -> None:
        self.left = size

    def read(self, size: int = -1) -> bytes:
        given = self.left if size < 0 else min(size, self.left)
        self.left -= given
        return bytes(given)

    readline = read


def put(way: dict[str, Any], body: Zeros, *, length: int) -> Any:
    """Send this body to our address, and say that it has this length."""
    path = way["url"].removeprefix("https://nook.example")
    headers: dict[str, Any] = {"CONTENT_LENGTH": str(length), "wsgi.input": body}
    return Client().generic("PUT", path, b"", **headers)


def complete(client: Client, file_id: str) -> Any:
    return post(client, f"/files/{file_id}/complete")


def details(answer: Any) -> tuple[int, list[tuple[str, str]]]:
    error = error_of(answer)
    return error["status"], [(detail["field"], detail["code"]) for detail in error["details"]]


def test_a_file_goes_straight_to_the_storage_and_is_examined(
    kept: Callable[[], set[str]], owner: User, client_of: ClientOf, events: Events, drain: Drain
) -> None:
    client, content = client_of(owner), pictures.plain("PNG", (30, 20))
    digest = hashlib.sha256(content).hexdigest()

    answer = announce(client, content, filename="lamp.png", content_type="image/png", sha256=digest)

    way = answer.json()["data"]
    path = f"{PATH}/{way['id']}"
    assert (answer.status_code, answer.headers["Location"], answer.headers["Cache-Control"]) == (201, path, "no-store")
    assert (way["method"], way["headers"]) == ("PUT", {"Content-Type": "image/png"})
    pending = client.get(path).json()["data"]
    assert (pending["state"], pending["url"], pending["size"]) == ("pending", None, len(content))
    assert error_of(complete(client, way["id"])) == refusal(409, "CONFLICT", "Nothing has been uploaded yet.")

    assert send(way, content) == 200
    data = complete(client, way["id"]).json()["data"]

    assert {name: data[name] for name in ("name", "content_type", "size", "sha256", "width", "state", "version")} == {
        "name": "lamp.png",
        "content_type": "image/png",
        "size": len(content),
        "sha256": digest,
        "width": 30,
        "state": "ready",
        "version": 1,
    }
    drain()
    assert kept() == {FileVersion.objects.get().key}
    with default_storage.open(FileVersion.objects.get().key) as file:
        assert file.read() == content
    assert [event.type for event in events("file.*")] == ["file.announced", "file.created"]
    again = complete(client, way["id"])
    assert (again.status_code, {**again.json()["data"], "url": data["url"]}) == (200, data)
    assert len(events("file.*")) == 2
    resource = create_resource(owner)
    assert post(client, f"/resources/{resource.pk}/files", {"file": way["id"]}).status_code == 201


@pytest.mark.parametrize(
    ("content", "said", "code"),
    [
        (NOTE, {"sha256": "0" * 64}, "hash_mismatch"),
        (b"<html><script>alert(1)</script></html>", {"content_type": "image/png"}, "not_an_image"),
        (b"MZ" + bytes(100), {"content_type": "video/mp4"}, "wrong_type"),
        (NOTE, {"content_type": "application/pdf"}, "wrong_type"),
        (pictures.plain("GIF", (2, 2)) + archive(), {"content_type": "image/gif"}, "not_an_image"),
        (large_png_header(9400, 9400), {"content_type": "image/png"}, "too_many_pixels"),
        (b"\x89PNG\r\n\x1a\nnothing", {"content_type": "application/octet-stream"}, "broken_image"),
    ],
)
def test_what_is_not_as_announced_is_removed_and_rejected(
    kept: Callable[[], set[str]],
    content: bytes,
    said: dict[str, Any],
    code: str,
    owner: User,
    client_of: ClientOf,
    drain: Drain,
    events: Events,
) -> None:
    client = client_of(owner)
    way = announced(client, content, **said)
    send(way, content)

    answers = [complete(client, way["id"]) for _ in range(2)]

    assert [details(answer) for answer in answers] == [(400, [("file", code)])] * 2
    drain()
    assert kept() == set()
    data = client.get(f"{PATH}/{way['id']}").json()["data"]
    assert (data["state"], data["problem"], data["url"]) == ("rejected", code, None)
    (event,) = events("file.rejected")
    assert event.payload == {"name": data["name"], "problem": code}


def test_s3_is_given_what_is_larger_or_smaller_and_it_is_refused(
    owner: User, client_of: ClientOf, s3_files: None, drain: Drain
) -> None:
    client, before = client_of(owner), stored()
    ways = [announced(client, NOTE) for _ in range(2)]
    for way, content in zip(ways, (NOTE + b"!", NOTE[1:]), strict=True):
        send(way, content)  # this S3 server takes it; Amazon's refuses it by the signed length

    found = [details(complete(client, way["id"])) for way in ways]

    assert found == [(400, [("file", "size_mismatch")])] * 2
    drain()
    assert stored() == before


def test_our_own_address_takes_exactly_what_was_announced_once(
    owner: User, client_of: ClientOf, local_files: Path
) -> None:
    client = client_of(owner)
    way = announced(client, NOTE)

    assert [send(way, content) for content in (b"", NOTE[1:], NOTE + b"!")] == [400] * 3
    assert stored() == set()
    assert send(way, NOTE) == 200
    assert send(way, NOTE) == 409
    assert complete(client, way["id"]).status_code == 200
    assert send(way, NOTE) == 404
    assert send({**way, "url": way["url"][:-1]}, NOTE) == 404
    assert Client().post(way["url"].removeprefix("https://nook.example")).status_code == 405


def test_an_upload_that_breaks_off_leaves_room_for_the_next(
    owner: User, client_of: ClientOf, local_files: Path
) -> None:
    way = announced(client_of(owner), NOTE)

    broken = put(way, Zeros(5), length=len(NOTE))

    assert (broken.status_code, stored()) == (400, set())
    assert send(way, NOTE) == 200


def test_an_address_serves_an_hour(owner: User, client_of: ClientOf, local_files: Path) -> None:
    way = announced(client_of(owner), NOTE)
    until = datetime.fromisoformat(way["expires_at"]) - timezone.now()

    assert timedelta(minutes=59) < until <= timedelta(hours=1)


@pytest.mark.django_db(transaction=True)
def test_of_many_who_send_to_one_address_one_is_taken(owner: User, client_of: ClientOf, local_files: Path) -> None:
    content = bytes(3 * MEBIBYTE)
    way = announced(client_of(owner), content)

    codes = at_once(6, lambda index: send(way, content))

    assert sorted(codes) == [200] + [409] * 5
    assert len(stored()) == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_who_complete_at_once_all_are_told_the_same_and_one_content_is_kept(
    kept: Callable[[], set[str]], owner: User, client_of: ClientOf, events: Events, drain: Drain
) -> None:
    clients = [client_of(owner) for _ in range(6)]
    good, bad = (announced(clients[0], NOTE, **said) for said in ({}, {"sha256": "0" * 64}))
    send(good, NOTE)
    send(bad, NOTE)

    completed = at_once(6, lambda index: complete(clients[index], good["id"]).status_code)
    refused = at_once(6, lambda index: complete(clients[index], bad["id"]).status_code)

    assert (completed, refused) == ([200] * 6, [400] * 6)
    drain()
    assert kept() == {FileVersion.objects.get(file=good["id"]).key}
    assert (len(events("file.created")), len(events("file.rejected"))) == (1, 1)


@pytest.mark.usefixtures("s3_files")
def test_what_is_sent_again_after_the_check_changes_nothing(owner: User, client_of: ClientOf, drain: Drain) -> None:
    client = client_of(owner)
    way = announced(client, NOTE)
    send(way, NOTE)
    complete(client, way["id"])

    assert send(way, b"B" * len(NOTE)) == 200

    url = client.get(f"{PATH}/{way['id']}").json()["data"]["url"]
    assert urllib3.request("GET", url, retries=False).data == NOTE


def test_announcing_is_refused_beyond_limit_and_quota_and_for_unsafe_names(
    owner: User, client_of: ClientOf, local_files: Path, settings: Any
) -> None:
    settings.FILES_PRESIGN_MEBIBYTES, settings.FILES_QUOTA_MEBIBYTES = 2, 3
    client = client_of(owner)
    before = rows()

    def refused(**said: Any) -> tuple[int, list[tuple[str, str]]]:
        return details(announce(client, NOTE, **said))

    assert refused(size=2 * MEBIBYTE + 1) == (413, [])
    for name in ("../a.txt", "a\\b.txt", "...", "a\x07.txt", "gpj.\u202eexe", "a\u200bb"):
        assert refused(filename=name) == (400, [("filename", "unsafe_name")]), name
    assert refused(size=0) == (400, [("size", "min_value")])
    assert refused(content_type="text/plain\r\nX: y") == (400, [("content_type", "invalid")])
    assert refused(sha256="F" * 64) == (400, [("sha256", "invalid")])
    assert refused(path="a") == (400, [("path", "unknown_field")])
    assert rows() == before

    announced(client, NOTE, size=2 * MEBIBYTE)
    assert error_of(announce(client, NOTE, size=MEBIBYTE + 1)) == refusal(
        413, "PAYLOAD_TOO_LARGE", "Your files may weigh 3 MiB together."
    )
    announced(client, NOTE, size=MEBIBYTE)
    assert File.objects.count() == 2


def test_nobody_leaves_more_than_a_hundred_uploads_unfinished(
    owner: User, client_of: ClientOf, local_files: Path, settings: Any
) -> None:
    settings.RATE_LIMIT_SCALE = 1000
    client = client_of(owner)
    file = create_file(owner)
    FileVersion.objects.bulk_create(
        FileVersion(file=file, number=n, name="a", content_type="a/b", size=1, state="pending", key=str(n))
        for n in range(2, 102)
    )

    assert error_of(announce(client, NOTE))["status"] == 409


def test_only_its_owner_completes_an_upload(
    owner: User, stranger: User, admin: User, client_of: ClientOf, anonymous: Client, local_files: Path
) -> None:
    way = announced(client_of(owner), NOTE)
    send(way, NOTE)
    before = rows()

    assert error_of(complete(anonymous, way["id"])) == NOT_AUTHENTICATED
    assert error_of(announce(anonymous, NOTE)) == NOT_AUTHENTICATED
    assert error_of(complete(client_of(stranger), way["id"])) == NOT_FOUND
    assert error_of(complete(client_of(admin), way["id"])) == PERMISSION_DENIED
    assert rows() == before
    assert FileVersion.objects.get().state == FileState.PENDING


def test_an_upload_that_is_never_completed_goes_with_what_arrived(
    kept: Callable[[], set[str]], owner: User, client_of: ClientOf, drain: Drain, events: Events
) -> None:
    client = client_of(owner)
    empty, sent, young = (announced(client, NOTE) for _ in range(3))
    send(sent, NOTE)
    then = timezone.now() - timedelta(hours=2, minutes=1)
    FileVersion.objects.filter(file__in=[empty["id"], sent["id"]]).update(created_at=then)

    assert sweep_unfinished() == 2
    drain()

    assert [str(file.pk) for file in File.objects.all()] == [young["id"]]
    assert kept() == set()
    assert len(events("file.deleted")) == 2
    assert error_of(complete(client, sent["id"])) == NOT_FOUND
    assert client.delete(f"{PATH}/{young['id']}").status_code == 204


def test_uploads_that_no_row_names_are_collected(
    owner: User, client_of: ClientOf, local_files: Path, set_age: Callable[[timedelta], None]
) -> None:
    way = announced(client_of(owner), NOTE)
    send(way, NOTE)
    File.objects.all().delete()

    assert sweep_unnamed() == 0
    set_age(timedelta(days=2))
    assert (sweep_unnamed(), stored()) == (1, set())


def test_a_large_upload_is_never_held_in_memory(owner: User, client_of: ClientOf, local_files: Path) -> None:
    client, size = client_of(owner), 200 * MEBIBYTE
    small = announced(client, NOTE)
    send(small, NOTE)
    complete(client, small["id"])
    way = announced(client, b"", size=size)
    codes: list[int] = []

    growth = peak_growth(
        lambda: codes.extend((put(way, Zeros(size), length=size).status_code, complete(client, way["id"]).status_code))
    )

    assert (codes, client.get(f"{PATH}/{way['id']}").json()["data"]["state"]) == ([200, 200], "ready")
    assert growth < 24 * MEBIBYTE


def test_without_storage_an_upload_is_not_completed_and_not_lost(
    owner: User, client_of: ClientOf, no_storage: None
) -> None:
    client = client_of(owner)
    way = announced(client, NOTE)

    answer = complete(client, way["id"])

    assert (answer.status_code, FileVersion.objects.get().state) == (503, FileState.PENDING)


def test_browser_code_of_a_listed_origin_may_send_to_our_address(
    owner: User, client_of: ClientOf, local_files: Path, settings: Any
) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example"]
    path = announced(client_of(owner), NOTE)["url"].removeprefix("https://nook.example")
    asked = {"access-control-request-method": "PUT", "access-control-request-headers": "content-type"}

    for origin, allowed in (("https://app.example", True), ("https://evil.example", False)):
        preflight = Client().options(path, headers={"origin": origin, **asked})
        sent = Client().put(path, NOTE, "text/plain", headers={"origin": origin})

        assert ("Access-Control-Allow-Origin" in preflight.headers) is allowed
        assert (sent.headers.get("Access-Control-Allow-Origin") == origin) is allowed
        assert ("PUT" in preflight.headers.get("Access-Control-Allow-Methods", "")) is allowed
