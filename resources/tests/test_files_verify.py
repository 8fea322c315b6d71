"""`manage.py files_verify`: what storage has and rows say, and what becomes of it when they differ."""

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.core.management.base import CommandError

from accounts.models import User
from core.tests import pictures
from core.tests.spine import Drain, Events
from resources.models import File, FileState, FileVariant, FileVersion
from resources.tests.factories import attach, create_file, create_resource
from resources.tests.uploads import PATH, ClientOf, uploaded


def verify(*options: str) -> tuple[int, list[str]]:
    output, code = StringIO(), 0
    try:
        call_command("files_verify", *options, stdout=output, stderr=StringIO())
    except SystemExit as end:
        code = int(str(end.code))
    return code, output.getvalue().splitlines()


def key_of(file: File) -> str:
    return FileVersion.objects.get(file=file, number=file.version).key


def overwrite(local_files: Path, key: str, content: bytes) -> None:
    (local_files / key).write_bytes(content)


@pytest.mark.usefixtures("stored_files")
def test_what_agrees_is_no_fault(owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)
    data = uploaded(client, pictures.plain(), "a.png")
    client.get(f"{PATH}/{data['id']}/image?w=48")

    code, lines = verify()

    assert (code, lines[-1]) == (0, "2 content(s) looked at: 0 lost, 0 damaged, 0 unknown.")


def test_each_fault_is_named_and_nothing_is_changed(
    owner: User, local_files: Path, set_age: Callable[[timedelta], None]
) -> None:
    lost, short, changed, _ = (create_file(owner) for _ in range(4))
    unknown = default_storage.save("files/ab/unknown", ContentFile(b"?"))
    set_age(timedelta(days=2))
    default_storage.save("files/ab/young", ContentFile(b"?"))
    default_storage.delete(key_of(lost))
    overwrite(local_files, key_of(short), b"A not")
    overwrite(local_files, key_of(changed), b"A nose.\n")
    before = list(FileVersion.objects.order_by("pk").values())

    code, lines = verify()

    assert code == 1
    assert sorted(line.split()[:2] for line in lines[:-1]) == sorted(
        [
            ["lost", key_of(lost)],
            ["damaged", key_of(short)],
            ["damaged", key_of(changed)],
            ["unknown", unknown],
        ]
    )
    assert lines[-1] == "4 content(s) looked at: 1 lost, 2 damaged, 1 unknown."
    assert list(FileVersion.objects.order_by("pk").values()) == before
    assert default_storage.exists(unknown)
    assert verify("--sample", "0")[1][-1] == "4 content(s) looked at: 1 lost, 1 damaged, 1 unknown."


def test_faults_are_mended_when_that_is_asked_for(
    owner: User,
    client_of: ClientOf,
    local_files: Path,
    set_age: Callable[[timedelta], None],
    events: Events,
    drain: Drain,
) -> None:
    client, resource = client_of(owner), create_resource(owner)
    lost, damaged = create_file(owner), create_file(owner, pictures.plain(), "a.png")
    attach(lost, resource.pk)
    client.get(f"{PATH}/{damaged.pk}/image?w=48")
    picture = create_file(owner, pictures.plain(), "b.png")
    client.get(f"{PATH}/{picture.pk}/image?w=48")
    default_storage.delete(FileVariant.objects.get(version__file=picture).key)
    unknown = default_storage.save("variants/ab/unknown.webp", ContentFile(b"?"))
    set_age(timedelta(days=2))
    default_storage.delete(key_of(lost))
    overwrite(local_files, key_of(damaged), b"x")

    code, lines = verify("--repair")
    drain()

    assert (code, lines[-1]) == (0, "5 content(s) looked at: 2 lost, 1 damaged, 1 unknown. All mended.")
    states = {version.file_id: (version.state, version.problem) for version in FileVersion.objects.all()}
    assert states == {
        lost.pk: (FileState.REJECTED, "lost"),
        damaged.pk: (FileState.REJECTED, "damaged"),
        picture.pk: (FileState.READY, ""),
    }
    assert [event.payload["problem"] for event in events("file.rejected")] == ["lost", "damaged"]
    assert not default_storage.exists(unknown)
    assert client.get(f"{PATH}/{picture.pk}/image?w=48").status_code == 302
    resource.refresh_from_db()
    assert resource.version == 2
    assert verify()[0] == 0


def test_a_storage_that_has_nothing_is_not_taken_for_a_hundred_faults(owner: User, local_files: Path) -> None:
    default_storage.delete(key_of(create_file(owner)))

    with pytest.raises(CommandError, match="none of the newest contents"):
        call_command("files_verify", "--repair", stdout=StringIO(), stderr=StringIO())

    assert FileVersion.objects.get().state == FileState.READY


def test_a_sample_is_a_percentage() -> None:
    with pytest.raises(CommandError, match="0 to 100"):
        call_command("files_verify", "--sample", "101")
