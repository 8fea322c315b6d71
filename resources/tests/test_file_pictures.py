"""/files/{id}/image: pictures in the sizes that clients ask for, each made once."""

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import urllib3
from django.core.files.storage import default_storage
from django.test import Client
from django.utils import timezone

from accounts.models import User
from accounts.tests.answers import NOT_FOUND, error_of, refusal
from accounts.tests.test_races import at_once
from core import image_child
from core.tests import pictures
from core.tests.pictures import decoded
from core.tests.spine import Drain
from core.tests.test_images import peak_growth
from resources.access import Level
from resources.models import File, FileState, FileVariant, FileVersion, Resource
from resources.services.pictures import MOST_VARIANTS
from resources.tests.factories import attach, create_file, create_resource, share
from resources.tests.test_uploads import details, stored
from resources.tests.uploads import PATH, ClientOf, upload

MEBIBYTE = 1024 * 1024


def image(client: Client, file: File, query: str = "w=100&h=100") -> Any:
    return client.get(f"{PATH}/{file.pk}/image?{query}")


def fetched(answer: Any) -> tuple[str, tuple[int, int], str]:
    """Return format and size of the picture that an answer leads to, and the type it is sent as."""
    assert answer.status_code == 302, answer.content
    url = answer.headers["Location"]
    if url.startswith("https://nook.example"):
        sent: Any = Client().get(url.removeprefix("https://nook.example"))
        raw = sent.getvalue()
    else:
        sent = urllib3.request("GET", url, retries=False)
        raw = sent.data
    made = decoded(raw)
    return made.format or "", made.size, sent.headers["Content-Type"]


@pytest.fixture
def lamp(owner: User, local_files: Path) -> File:
    """A picture of the owner's."""
    return create_file(owner, pictures.halves("PNG", (400, 300)), "lamp.png")


@pytest.mark.usefixtures("stored_files")
def test_a_picture_is_given_in_the_size_that_is_asked_for(owner: User, client_of: ClientOf) -> None:
    client, file = client_of(owner), create_file(owner, pictures.halves("JPEG", (400, 300)), "lamp.jpg")

    answer = image(client, file, "w=300&h=300&fit=cover&format=webp&q=75")

    assert fetched(answer) == ("WEBP", (300, 300), "image/webp")
    assert answer.headers["Cache-Control"] == "private, max-age=240"
    assert answer.headers["Vary"] == "Authorization"
    assert fetched(image(client, file, "w=200&h=200&fit=contain&format=avif")) == ("AVIF", (200, 150), "image/avif")
    assert fetched(image(client, file, "w=200&format=jpeg")) == ("JPEG", (200, 150), "image/jpeg")
    assert fetched(image(client, file, "h=150&format=png&q=50")) == ("PNG", (200, 150), "image/png")
    assert fetched(image(client, file, "preset=thumbnail")) == ("WEBP", (96, 96), "image/webp")
    assert fetched(image(client, file, "w=2560&h=2560")) == ("WEBP", (300, 300), "image/webp")
    assert fetched(image(client, file, "")) == ("WEBP", (400, 300), "image/webp")


def test_a_picture_may_be_kept_by_the_browser_alone(owner: User, client_of: ClientOf, lamp: File) -> None:
    path = image(client_of(owner), lamp).headers["Location"].removeprefix("https://nook.example")

    first: Any = Client().get(path)
    again = Client().get(path, headers={"if-none-match": first["ETag"]})

    first.getvalue()
    assert first["Cache-Control"] == again["Cache-Control"] == "private, max-age=300"
    assert (again.status_code, again.content) == (304, b"")
    assert first["Content-Disposition"] == 'attachment; filename="lamp.webp"'
    assert (first["X-Content-Type-Options"], first["Content-Security-Policy"]) == (
        "nosniff",
        "default-src 'none'; sandbox",
    )


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "AVIF"])
def test_pictures_are_made_of_these_formats(form: str, owner: User, client_of: ClientOf, local_files: Path) -> None:
    file = create_file(owner, pictures.plain(form, (120, 80)), "a")

    assert fetched(image(client_of(owner), file, "w=48")) == ("WEBP", (48, 32), "image/webp")


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ("w=101", "w", "not_offered"),
        ("h=5000", "h", "not_offered"),
        ("w=-1", "w", "not_offered"),
        ("w=wide", "w", "invalid"),
        ("q=7", "q", "not_offered"),
        ("fit=stretch", "fit", "invalid_choice"),
        ("format=svg", "format", "invalid_choice"),
        ("preset=thumbnail&w=100", "preset", "conflict"),
        ("width=100", "width", "unknown_parameter"),
        ("w=100&w=200", "w", "repeated"),
    ],
)
def test_other_sizes_are_not_made(
    query: str, field: str, code: str, owner: User, client_of: ClientOf, lamp: File
) -> None:
    assert details(image(client_of(owner), lamp, query)) == (400, [(field, code)])
    assert FileVariant.objects.count() == 0


def test_it_takes_the_permission_that_the_original_takes(
    owner: User, stranger: User, anonymous: Client, client_of: ClientOf, lamp: File
) -> None:
    resource = create_resource(owner)
    attach(lamp, resource.pk)
    theirs = client_of(stranger)
    image(client_of(owner), lamp)

    assert error_of(image(theirs, lamp)) == error_of(image(anonymous, lamp)) == NOT_FOUND
    assert error_of(image(theirs, lamp, "w=48")) == NOT_FOUND
    assert FileVariant.objects.count() == 1

    given = share(resource, stranger, Level.VIEWER)
    assert image(theirs, lamp).status_code == 302
    given.delete()
    assert error_of(image(theirs, lamp)) == NOT_FOUND
    Resource.objects.filter(pk=resource.pk).update(visibility="public")
    assert image(anonymous, lamp).status_code == 302


@pytest.mark.parametrize("state", [FileState.PENDING, FileState.QUARANTINED, FileState.REJECTED])
def test_no_picture_is_made_of_what_is_not_ready(
    state: FileState, owner: User, client_of: ClientOf, lamp: File
) -> None:
    FileVersion.objects.update(state=state)

    assert error_of(image(client_of(owner), lamp)) == refusal(409, "CONFLICT", "This file is not ready.")
    assert FileVariant.objects.count() == 0


def damaged() -> bytes:
    """A picture whose header is sound."""
    return pictures.plain("PNG", (64, 64))[:60] + bytes(100)


def test_what_cannot_be_made_is_not_tried_again_for_an_hour(
    owner: User, client_of: ClientOf, local_files: Path, children: Callable[[], int]
) -> None:
    client, file = client_of(owner), create_file(owner, damaged(), "a.png")

    answers = [details(image(client, file, f"w={width}")) for width in (100, 100, 200)]

    assert answers == [(400, [("file", "broken_image")])] * 3
    assert children() == 1
    FileVariant.objects.update(busy_until=timezone.now() - timedelta(seconds=1))
    assert details(image(client, file))[0] == 400
    assert children() == 2


@pytest.mark.parametrize("content", [b"A note.\n", b"%PDF-1.7\n", b"<svg xmlns='http://www.w3.org/2000/svg'/>"])
def test_what_is_no_picture_is_not_tried_at_all(
    content: bytes, owner: User, client_of: ClientOf, local_files: Path, children: Callable[[], int]
) -> None:
    file = create_file(owner, content, "a")

    assert details(image(client_of(owner), file)) == (400, [("file", "not_an_image")])
    assert (children(), FileVariant.objects.count()) == (0, 0)


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], int]:
    """`children()`: how many times the program that makes pictures was started; it notes each start, and works."""
    notes, program = tmp_path / "starts", tmp_path / "child.py"
    own = image_child.__file__
    program.write_text(
        f"open({str(notes)!r}, 'a').write('x')\nimport runpy\nrunpy.run_path({own!r}, run_name='__main__')\n"
    )
    monkeypatch.setattr(image_child, "__file__", str(program))
    return lambda: len(notes.read_text()) if notes.exists() else 0


@pytest.mark.django_db(transaction=True)
def test_of_many_who_ask_at_once_one_makes_it(
    owner: User, client_of: ClientOf, lamp: File, children: Callable[[], int]
) -> None:
    clients = [client_of(owner) for _ in range(5)]

    answers = at_once(5, lambda index: fetched(image(clients[index], lamp)))

    assert answers == [("WEBP", (100, 100), "image/webp")] * 5
    assert children() == 1
    assert {FileVersion.objects.get().key, FileVariant.objects.get().key} == stored() | variants()


def variants() -> set[str]:
    folders = default_storage.listdir("variants")[0] if default_storage.exists("variants") else []
    return {
        f"variants/{folder}/{name}" for folder in folders for name in default_storage.listdir(f"variants/{folder}")[1]
    }


@pytest.mark.django_db(transaction=True)
def test_a_claim_whose_holder_died_is_taken_over(owner: User, client_of: ClientOf, lamp: File) -> None:
    version = FileVersion.objects.get()
    row = FileVariant.objects.create(
        version=version, form="100x100-cover-q80.webp", busy_until=timezone.now() + timedelta(milliseconds=400)
    )

    answer = image(client_of(owner), lamp)

    assert fetched(answer)[0] == "WEBP"
    assert FileVariant.objects.get().pk == row.pk


@pytest.mark.django_db(transaction=True)
def test_a_file_that_is_deleted_meanwhile_leaves_no_picture_behind(
    owner: User, client_of: ClientOf, lamp: File, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, drain: Drain
) -> None:
    client, other = client_of(owner), client_of(owner)
    started, go_on = tmp_path / "started", tmp_path / "go_on"
    slow = tmp_path / "slow.py"
    slow.write_text(
        f"import os, runpy, time\nopen({str(started)!r}, 'w').close()\n"
        f"while not os.path.exists({str(go_on)!r}): time.sleep(0.01)\n"
        f"runpy.run_path({image_child.__file__!r}, run_name='__main__')\n"
    )
    monkeypatch.setattr(image_child, "__file__", str(slow))

    def delete_while_it_is_made() -> int:
        while not started.exists():
            threading.Event().wait(0.01)
        code: int = other.delete(f"{PATH}/{lamp.pk}").status_code
        go_on.touch()
        return code

    acts = [lambda: image(client, lamp).status_code, delete_while_it_is_made]
    codes = at_once(2, lambda index: acts[index]())

    assert codes == [404, 204]
    drain()
    assert (stored(), variants(), FileVariant.objects.count()) == (set(), set(), 0)


def test_pictures_go_with_the_version_they_are_of(
    owner: User, client_of: ClientOf, lamp: File, drain: Drain, hurry: Callable[[], None]
) -> None:
    client = client_of(owner)
    image(client, lamp)
    old = variants()

    upload(client, pictures.plain("PNG", (50, 50)), "new.png", path=f"{PATH}/{lamp.pk}/versions")

    assert FileVariant.objects.count() == 0
    assert fetched(image(client, lamp, "w=48&h=48"))[1] == (48, 48)
    hurry()
    assert len(variants()) == 1
    assert not variants() & old
    client.delete(f"{PATH}/{lamp.pk}")
    hurry()
    assert (variants(), stored()) == (set(), set())


@pytest.fixture
def hurry(drain: Drain) -> Callable[[], None]:
    """`hurry()`: do what is promised for later, too."""
    from core.models import OutboxRow

    def hurry() -> None:
        OutboxRow.objects.update(due_at=timezone.now())
        drain()

    return hurry


def test_of_one_version_so_many_pictures_are_kept(
    owner: User, client_of: ClientOf, lamp: File, hurry: Callable[[], None]
) -> None:
    version = FileVersion.objects.get()
    FileVariant.objects.bulk_create(
        FileVariant(version=version, form=str(number), key=f"variants/aa/{number}") for number in range(MOST_VARIANTS)
    )

    image(client_of(owner), lamp)

    assert FileVariant.objects.count() == MOST_VARIANTS
    assert FileVariant.objects.filter(form="100x100-cover-q80.webp").exists()


def test_nobody_has_pictures_made_without_end(
    owner: User, client_of: ClientOf, lamp: File, settings: Any, children: Callable[[], int]
) -> None:
    client = client_of(owner)
    image(client, lamp)
    settings.RATE_LIMIT_SCALE = 1 / 60

    answers = [image(client_of(owner), lamp, f"w={width}&h=48").status_code for width in (64, 80, 96)]

    assert answers.count(429) >= 2
    assert children() <= 2
    assert not FileVariant.objects.filter(busy_until__isnull=False).exists()


def test_a_hostile_picture_costs_this_process_little(owner: User, client_of: ClientOf, local_files: Path) -> None:
    client = client_of(owner)
    bombs = [create_file(owner, raw, "a.png") for raw in (pictures.zlib_bomb(), pictures.png(7000, 7000))]
    image(client, create_file(owner, pictures.plain(), "a.png"))
    codes: list[int] = []

    growth = peak_growth(lambda: codes.extend(image(client, bomb, "w=48").status_code for bomb in bombs))

    assert set(codes) <= {302, 400}
    assert growth < 64 * MEBIBYTE


def test_without_storage_no_picture_is_promised(owner: User, client_of: ClientOf, lamp: File, no_storage: None) -> None:
    answer = image(client_of(owner), lamp)

    assert answer.status_code == 503
    assert FileVariant.objects.get().busy_until is None
