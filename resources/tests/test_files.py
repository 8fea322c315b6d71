"""/files: what comes in, who is given it, and when it goes."""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import urllib3
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client
from django.utils import timezone

from accounts.models import User
from accounts.tests.answers import NOT_AUTHENTICATED, NOT_FOUND, PERMISSION_DENIED, error_of, invalid, refusal
from accounts.tests.test_races import at_once
from core.models import Event, OutboxRow
from core.tests import pictures
from core.tests.spine import Drain, Events
from core.tests.test_images import peak_growth
from resources.access import Level
from resources.models import File, FileVersion, Resource, ResourceFile
from resources.services.file_sweeps import sweep_unattached, sweep_unnamed
from resources.tests.factories import attach, create_file, create_resource, share
from resources.tests.uploads import PATH, ClientOf, archive, body, large_png_header, post, upload, uploaded

MEBIBYTE = 1024 * 1024


def stored() -> set[str]:
    folders = default_storage.listdir("files")[0] if default_storage.exists("files") else []
    return {f"files/{folder}/{name}" for folder in folders for name in default_storage.listdir(f"files/{folder}")[1]}


def rows() -> list[int]:
    return [model.objects.count() for model in (File, FileVersion, ResourceFile, Event, OutboxRow)]


def fetched(client: Client, url: str) -> Any:
    """Return the answer at a signed link, read to its end as `raw`."""
    answer: Any = client.get(url.removeprefix("https://nook.example"))
    answer.raw = answer.getvalue()
    return answer


@pytest.fixture
def document(owner: User, local_files: Path) -> tuple[Resource, File]:
    """A private resource of the owner's, with a file."""
    resource, file = create_resource(owner), create_file(owner, b"Secret.\n", "plan.txt")
    attach(file, resource.pk)
    return resource, file


def test_a_file_is_kept_and_given_back(owner: User, client_of: ClientOf, local_files: Path, events: Events) -> None:
    client = client_of(owner)
    content = pictures.plain("PNG", (30, 20))

    answer = upload(client, content, "lamp.png", content_type="text/html")

    data = answer.json()["data"]
    assert (answer.status_code, answer.headers["Location"]) == (201, f"{PATH}/{data['id']}")
    assert answer.headers["Cache-Control"] == "no-store"
    url = data.pop("url")
    assert {name: data[name] for name in data if name not in {"id", "created_at", "updated_at"}} == {
        "name": "lamp.png",
        "content_type": "image/png",
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "width": 30,
        "height": 20,
        "state": "ready",
        "problem": None,
        "version": 1,
        "owner": {"id": str(owner.pk), "name": owner.name},
    }
    file = fetched(client, url)
    assert file.raw == content
    assert file["Content-Disposition"] == 'attachment; filename="lamp.png"'
    read = client.get(f"{PATH}/{data['id']}").json()["data"]
    assert read.pop("url").startswith("https://nook.example/files/")
    assert read == data
    (event,) = events("file.created")
    assert event.payload == {
        "after": {"name": "lamp.png", "content_type": "image/png", "size": len(content), "version": 1}
    }


@pytest.mark.usefixtures("s3_files")
def test_a_file_in_s3_is_led_to_by_a_link_that_says_how_it_is_to_be_taken(owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)
    page = uploaded(client, b"<html><script>alert(1)</script></html>", "page.png.html")

    answer = client.get(f"{PATH}/{page['id']}/content")

    assert (answer.status_code, answer.headers["Cache-Control"]) == (302, "no-store")
    file = urllib3.request("GET", answer.headers["Location"], retries=False)
    assert (file.status, file.data) == (200, b"<html><script>alert(1)</script></html>")
    assert file.headers["Content-Type"] == "application/octet-stream"
    assert file.headers["Content-Disposition"] == 'attachment; filename="page.png.html"'
    assert file.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("content", "name", "kind"),
    [
        (b"<html><script>alert(1)</script></html>", "a.txt", "text/html"),
        (b"<!doctype html><p>", "a.txt", "text/html"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "a.svg", "image/svg+xml"),
        (b"<svg onload=alert(1)>", "a.txt", "image/svg+xml"),
        (b"\xef\xbb\xbf<?xml version='1.0'?><a/>", "a.txt", "application/xml"),
        (b"%PDF-1.7\n1 0 obj<</S/JavaScript/JS(app.alert(1))>>", "a.txt", "application/pdf"),
    ],
)
def test_what_a_browser_could_run_is_only_ever_a_download(
    content: bytes, name: str, kind: str, owner: User, client_of: ClientOf, local_files: Path
) -> None:
    client = client_of(owner)
    data = uploaded(client, content, name)

    answer = fetched(client, client.get(f"{PATH}/{data['id']}/content").headers["Location"])

    assert data["content_type"] == kind
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"].startswith("attachment;")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"


@pytest.mark.parametrize(
    ("content", "name", "claimed", "code"),
    [
        (b"", "a.txt", "", "empty"),
        (archive(), "a.png", "", "not_an_image"),
        (archive(), "a.zip", "image/png", "not_an_image"),
        (pictures.plain("PNG", (2, 2)) + archive(), "a.png", "", "not_an_image"),
        (pictures.plain("GIF", (2, 2)) + archive(), "a.bin", "", "not_an_image"),
        (b"<html>", "a.jpg", "", "not_an_image"),
        (b"\x89PNG\r\n\x1a\nnothing", "a.png", "", "broken_image"),
        (large_png_header(9400, 9400), "a.png", "", "too_many_pixels"),
        (large_png_header(9400, 9400), "a.txt", "text/plain", "too_many_pixels"),
        (b"note", "../a.txt", "", "unsafe_name"),
        (b"note", "a\\b.txt", "", "unsafe_name"),
        (b"note", "...", "", "unsafe_name"),
        (b"note", "a\x07.txt", "", "unsafe_name"),
        (b"note", "gpj.\u202eexe", "", "unsafe_name"),
    ],
)
def test_what_is_not_what_it_says_is_refused_and_not_kept(
    content: bytes, name: str, claimed: str, code: str, owner: User, client_of: ClientOf, local_files: Path
) -> None:
    client = client_of(owner)
    before = rows()

    answer = upload(client, content, name, content_type=claimed)

    error = error_of(answer)
    assert (error["status"], [(detail["field"], detail["code"]) for detail in error["details"]]) == (
        400,
        [("file", code)],
    )
    assert rows() == before
    assert stored() == set()


def test_a_picture_of_88_megapixels_costs_nothing(owner: User, client_of: ClientOf, local_files: Path) -> None:
    client, bomb = client_of(owner), pictures.png(9400, 9400)
    upload(client, pictures.plain())
    codes: list[int] = []

    growth = peak_growth(lambda: codes.append(upload(client, bomb, "bomb.png").status_code))

    assert codes == [400]
    assert growth < 64 * MEBIBYTE


def test_a_larger_body_is_refused(owner: User, client_of: ClientOf, local_files: Path) -> None:
    answer = upload(client_of(owner), bytes(10 * MEBIBYTE + 1))

    assert error_of(answer) == refusal(413, "PAYLOAD_TOO_LARGE", "The request is too large.")
    assert (stored(), File.objects.count()) == (set(), 0)


def test_nobody_keeps_more_than_their_quota(
    owner: User, stranger: User, client_of: ClientOf, local_files: Path, settings: Any
) -> None:
    settings.FILES_QUOTA_MEBIBYTES = 1
    client = client_of(owner)
    first = uploaded(client, bytes(MEBIBYTE // 2))

    refused = upload(client, bytes(MEBIBYTE // 2 + 1))

    assert error_of(refused) == refusal(413, "PAYLOAD_TOO_LARGE", "Your files may weigh 1 MiB together.")
    assert len(stored()) == 1
    assert upload(client_of(stranger), bytes(MEBIBYTE)).status_code == 201
    assert client.delete(f"{PATH}/{first['id']}").status_code == 204
    assert upload(client, bytes(MEBIBYTE)).status_code == 201


def test_without_storage_nothing_is_promised(owner: User, client_of: ClientOf, no_storage: None) -> None:
    client = client_of(owner)
    before = rows()

    answer = upload(client)

    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert rows() == before


def test_who_may_read_the_resource_reads_its_file_and_nobody_else(
    document: tuple[Resource, File],
    stranger: User,
    moderator: User,
    anonymous: Client,
    client_of: ClientOf,
) -> None:
    resource, file = document
    theirs, path = client_of(stranger), f"{PATH}/{file.pk}"
    hidden = [theirs.get(path), theirs.get(f"{path}/content"), anonymous.get(path), anonymous.get(f"{path}/content")]
    assert [error_of(answer) for answer in hidden] == [NOT_FOUND] * 4

    given = share(resource, stranger, Level.VIEWER)
    assert fetched(anonymous, theirs.get(path).json()["data"]["url"]).status_code == 200
    assert (theirs.get(f"{path}/content").status_code, anonymous.get(path).status_code) == (302, 404)
    assert client_of(moderator).get(path).status_code == 200

    given.delete()
    assert error_of(theirs.get(path)) == error_of(theirs.get(f"{path}/content")) == NOT_FOUND

    Resource.objects.filter(pk=resource.pk).update(visibility="public")
    assert anonymous.get(path).status_code == theirs.get(path).status_code == 200

    Resource.objects.filter(pk=resource.pk).update(deleted_at=timezone.now())
    assert error_of(theirs.get(path)) == NOT_FOUND


def test_a_file_apart_is_its_owner_s_and_the_administrator_s(
    owner: User, stranger: User, moderator: User, admin: User, client_of: ClientOf, local_files: Path
) -> None:
    path = f"{PATH}/{create_file(owner).pk}"

    seen = {user.email: client_of(user).get(path).status_code for user in (owner, stranger, moderator, admin)}

    assert list(seen.values()) == [200, 404, 404, 200]


def test_a_file_is_attached_and_taken_off(
    owner: User, client_of: ClientOf, local_files: Path, events: Events, anonymous: Client
) -> None:
    client, resource = client_of(owner), create_resource(owner)
    file = uploaded(client, pictures.plain("PNG", (9, 5)), "lamp.png")
    path = f"/resources/{resource.pk}/files"

    answer = post(client, path, {"file": file["id"], "slot": "cover"})

    assert (answer.status_code, answer.headers["ETag"]) == (201, '"2"')
    assert {**answer.json()["data"], "url": ""} == {**file, "url": "", "slot": "cover"}
    (shown,) = client.get(f"/api/v1/resources/{resource.pk}?include=files").json()["data"]["files"]
    assert shown.pop("created_at").endswith("Z")
    assert shown == {name: value for name, value in file.items() if name in shown} | {"slot": "cover"}
    assert client.get("/api/v1/resources?include=files").json()["data"][0]["files"][0]["id"] == file["id"]
    assert error_of(client.delete(f"{PATH}/{file['id']}"))["status"] == 409

    assert client.delete(f"/api/v1{path}/{file['id']}", headers={"If-Match": '"1"'}).status_code == 412
    assert client.delete(f"/api/v1{path}/{file['id']}").status_code == 204
    assert client.get(f"/api/v1/resources/{resource.pk}?include=files").json()["data"]["files"] == []
    assert error_of(client.delete(f"/api/v1{path}/{file['id']}")) == NOT_FOUND
    assert client.delete(f"{PATH}/{file['id']}").status_code == 204
    assert [event.type for event in events("file.*")] == [
        "file.created",
        "file.attached",
        "file.detached",
        "file.deleted",
    ]
    versions = client.get(f"/api/v1/resources/{resource.pk}/versions").json()["data"]
    assert [version["action"] for version in versions] == ["file_detached", "file_attached", "created"]


def test_attaching_needs_the_right_to_write_and_a_file_of_one_s_own(
    document: tuple[Resource, File], owner: User, stranger: User, client_of: ClientOf, anonymous: Client
) -> None:
    resource, file = document
    own, elsewhere = create_file(stranger), create_resource(stranger)
    theirs, path = client_of(stranger), f"/resources/{resource.pk}/files"
    before = rows()

    assert error_of(post(anonymous, path, {"file": str(own.pk)})) == NOT_AUTHENTICATED
    assert error_of(post(theirs, path, {"file": str(own.pk)})) == NOT_FOUND
    assert error_of(post(theirs, f"/resources/{elsewhere.pk}/files", {"file": str(file.pk)})) == invalid(
        ("file", "does_not_exist", "There is no such file.")
    )
    assert rows() == before

    share(resource, stranger, Level.VIEWER)
    assert error_of(post(theirs, path, {"file": str(own.pk)})) == PERMISSION_DENIED
    assert error_of(theirs.delete(f"/api/v1{path}/{file.pk}")) == PERMISSION_DENIED
    assert error_of(post(theirs, f"/resources/{elsewhere.pk}/files", {"file": str(file.pk)})) == PERMISSION_DENIED
    assert error_of(theirs.delete(f"{PATH}/{file.pk}")) == PERMISSION_DENIED
    assert rows() == before

    resource.shares.update(access=Level.EDITOR)
    assert post(theirs, path, {"file": str(own.pk)}).status_code == 201
    assert client_of(owner).get(f"{PATH}/{own.pk}").status_code == 200


def test_a_file_stands_once_and_a_slot_holds_one(
    document: tuple[Resource, File], owner: User, client_of: ClientOf
) -> None:
    resource, file = document
    client, other = client_of(owner), create_file(owner)
    path = f"/resources/{resource.pk}/files"
    ResourceFile.objects.update(slot="cover")
    before = rows()

    again = error_of(post(client, path, {"file": str(file.pk)}))
    taken = error_of(post(client, path, {"file": str(other.pk), "slot": "cover"}))
    odd = error_of(post(client, path, {"file": str(other.pk), "slot": "Co ver"}))

    assert again == refusal(409, "CONFLICT", "The resource has this file already.")
    assert taken == refusal(409, "CONFLICT", "This slot holds another file; take it off first.")
    assert (odd["status"], odd["details"][0]["field"]) == (400, "slot")
    assert rows() == before


def test_a_file_that_nobody_attaches_goes_after_a_day(
    owner: User, local_files: Path, drain: Drain, events: Events
) -> None:
    old, young, used = create_file(owner), create_file(owner), create_file(owner)
    lost = create_file(owner)
    attach(used, create_resource(owner).pk)
    attach(lost, create_resource(owner).pk).resource.delete()
    for file in (old, used):
        File.objects.filter(pk=file.pk).update(unattached_since=timezone.now() - timedelta(hours=25))

    assert sweep_unattached() == 1
    drain()

    assert set(File.objects.all()) == {young, used, lost}
    assert len(stored()) == 3
    assert [event.subject_id for event in events("file.deleted")] == [str(old.pk)]
    File.objects.filter(pk=lost.pk).update(unattached_since=timezone.now() - timedelta(hours=25))
    assert sweep_unattached() == 1


def test_contents_that_no_row_names_are_collected_a_day_later(
    owner: User, local_files: Path, set_age: Callable[[timedelta], None]
) -> None:
    create_file(owner)
    known = stored()
    default_storage.save("files/00/orphan", ContentFile(b"left behind"))

    assert sweep_unnamed() == 0
    set_age(timedelta(days=2))

    assert sweep_unnamed() == 1
    assert stored() == known


@pytest.mark.django_db(transaction=True)
def test_of_many_uploads_at_once_only_as_many_as_the_quota_holds_are_kept(
    owner: User, client_of: ClientOf, local_files: Path, settings: Any
) -> None:
    settings.FILES_QUOTA_MEBIBYTES = 1
    clients = [client_of(owner) for _ in range(8)]

    answers = at_once(8, lambda index: upload(clients[index], bytes(400 * 1024)).status_code)

    assert sorted(answers) == [201] * 2 + [413] * 6
    assert set(FileVersion.objects.values_list("key", flat=True)) == stored()
    assert len(stored()) == 2


@pytest.mark.django_db(transaction=True)
def test_a_file_is_attached_or_deleted_and_never_both(owner: User, client_of: ClientOf, local_files: Path) -> None:
    client, resource = client_of(owner), create_resource(owner)
    outcomes = set()
    for _ in range(6):
        file = uploaded(client)["id"]
        acts = [
            lambda file=file: post(client, f"/resources/{resource.pk}/files", {"file": file}).status_code,
            lambda file=file: client.delete(f"{PATH}/{file}").status_code,
        ]

        codes = at_once(2, lambda index, acts=acts: acts[index]())  # type: ignore[misc]  # bound at once

        assert codes in ([201, 409], [400, 204]), codes
        attached = ResourceFile.objects.filter(file_id=file).exists()
        assert attached is (codes[0] == 201)
        outcomes.add(tuple(codes))
    assert outcomes


def test_the_body_is_read_strictly(owner: User, client_of: ClientOf, local_files: Path) -> None:
    extra = b'--b\r\nContent-Disposition: form-data; name="slot"\r\n\r\ncover\r\n' + body(b"note")

    answer = client_of(owner).generic("POST", PATH, extra, "multipart/form-data; boundary=b")

    assert error_of(answer)["details"][0]["code"] == "unknown_field"
    assert File.objects.count() == 0
