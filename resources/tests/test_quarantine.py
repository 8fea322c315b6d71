"""Where there is a scanner, nobody is sent what it has not looked at."""

from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.utils import timezone

from accounts.models import User
from accounts.tests.answers import error_of, refusal
from core.models import DeadLetter, OutboxRow
from core.tests import pictures
from core.tests.clamd import EICAR, Clamd
from core.tests.ports import free_port
from core.tests.spine import Drain, Events
from notifications.models import Notification
from resources.models import File, FileState, FileVariant, FileVersion
from resources.services.quarantine import scan_version
from resources.tests.factories import attach, create_file, create_resource
from resources.tests.test_uploads import complete, stored
from resources.tests.uploads import PATH, ClientOf, announced, post, send, upload, uploaded


def test_a_file_is_given_out_when_the_scanner_has_looked(
    owner: User, client_of: ClientOf, local_files: Path, clamd: Clamd, drain: Drain, events: Events
) -> None:
    client = client_of(owner)

    data = uploaded(client)

    path = f"{PATH}/{data['id']}"
    assert (data["state"], data["url"]) == ("quarantined", None)
    assert error_of(client.get(f"{path}/content")) == refusal(409, "CONFLICT", "This file is not ready.")
    resource = create_resource(owner)
    assert post(client, f"/resources/{resource.pk}/files", {"file": data["id"]}).status_code == 201
    drain()
    assert clamd.scanned == [b"A note.\n"]
    ready = client.get(path).json()["data"]
    assert (ready["state"], ready["problem"]) == ("ready", None)
    assert ready["url"] is not None
    assert FileVersion.objects.get().scanned_at is not None
    (event,) = events("file.released")
    assert (event.audience, event.payload) == ([owner.pk], {"name": "note.txt", "version": 1})
    resource.refresh_from_db()
    assert resource.version == 3


def test_what_is_infected_is_removed_and_its_owner_is_told(
    owner: User, client_of: ClientOf, local_files: Path, clamd: Clamd, drain: Drain, events: Events
) -> None:
    client = client_of(owner)
    data = uploaded(client, b"Look: " + EICAR)

    drain()

    read = client.get(f"{PATH}/{data['id']}").json()["data"]
    assert (read["state"], read["problem"], read["url"]) == ("rejected", "infected: Eicar-Signature", None)
    assert stored() == set()
    (event,) = events("file.rejected")
    assert event.audience == [owner.pk]
    assert event.payload == {"name": "note.txt", "version": 1, "problem": "infected: Eicar-Signature"}
    (told,) = Notification.objects.filter(kind="file.rejected")
    assert told.user_id == owner.pk
    assert client.delete(f"{PATH}/{data['id']}").status_code == 204


def test_what_went_straight_to_the_storage_is_scanned_as_well(
    owner: User, client_of: ClientOf, local_files: Path, clamd: Clamd, drain: Drain
) -> None:
    client = client_of(owner)
    way = announced(client, EICAR, content_type="application/octet-stream")
    send(way, EICAR)

    assert complete(client, way["id"]).json()["data"]["state"] == "quarantined"
    drain()

    answer = error_of(complete(client, way["id"]))
    assert (answer["status"], answer["details"][0]["code"]) == (400, "infected")
    assert stored() == set()


def test_a_newer_version_is_shown_when_the_scanner_has_looked_and_what_it_refused_to_nobody_else(
    owner: User, stranger: User, client_of: ClientOf, local_files: Path, clamd: Clamd, drain: Drain
) -> None:
    client, reader = client_of(owner), client_of(stranger)
    file_id = uploaded(client)["id"]
    resource = create_resource(owner, visibility="internal")
    assert client.post(f"/api/v1/resources/{resource.id}/files", {"file": file_id}).status_code == 201
    drain()
    path = f"{PATH}/{file_id}"

    def listed(someone: Client) -> list[tuple[int, str]]:
        return [(one["version"], one["state"]) for one in someone.get(f"{path}/versions").json()["data"]]

    def shown() -> tuple[int, str, bool]:
        data = reader.get(path).json()["data"]
        return data["version"], data["state"], data["url"] is not None

    for content, name, state in ((EICAR, "worse.txt", "rejected"), (b"Better.\n", "better.txt", "ready")):
        before = shown(), listed(reader)
        sent = upload(client, content, name, path=f"{path}/versions").json()["data"]
        assert (sent["name"], sent["state"], sent["url"]) == (name, "quarantined", None)
        assert (shown(), listed(reader)) == before
        assert listed(client)[0] == (sent["version"], "quarantined")
        drain()
        assert listed(client)[0] == (sent["version"], state)

    assert shown() == (3, "ready", True)
    assert reader.get(path).json()["data"]["name"] == "better.txt"
    assert listed(reader) == [(3, "ready"), (1, "ready")]


def test_a_newer_version_that_is_infected_leaves_the_file_as_it_was(
    owner: User, client_of: ClientOf, local_files: Path, clamd: Clamd, drain: Drain
) -> None:
    client = client_of(owner)
    path = f"{PATH}/{uploaded(client)['id']}"
    drain()

    assert upload(client, EICAR, "worse.txt", path=f"{path}/versions").json()["data"]["version"] == 2
    drain()

    shown = client.get(path).json()["data"]
    assert (shown["version"], shown["state"], shown["name"]) == (1, "ready", "note.txt")
    listed = client.get(f"{path}/versions").json()["data"]
    assert [(item["version"], item["state"]) for item in listed] == [(2, "rejected"), (1, "ready")]
    assert upload(client, b"Better.\n", path=f"{path}/versions").json()["data"]["version"] == 3


def test_while_the_scanner_is_away_a_file_waits_and_is_asked_about_again(
    owner: User, client_of: ClientOf, local_files: Path, clamd: Clamd, drain: Drain, settings: Any
) -> None:
    there = settings.CLAMD
    settings.CLAMD = {"host": "127.0.0.1", "port": free_port()}
    data = uploaded(client_of(owner))

    pauses = []
    for _ in range(9):
        drain()
        (row,) = OutboxRow.objects.filter(task="resources.tasks.scan_file")
        pauses.append(round((row.due_at - timezone.now()).total_seconds() / 5))
        OutboxRow.objects.filter(pk=row.pk).update(due_at=timezone.now())

    assert pauses == [1, 2, 4, 8, 16, 32, 64, 120, 120]
    assert (FileVersion.objects.get().state, DeadLetter.objects.count()) == (FileState.QUARANTINED, 0)
    settings.CLAMD, settings.REDIS_KEY_PREFIX = there, f"{settings.REDIS_KEY_PREFIX}-later"
    drain()
    assert client_of(owner).get(f"{PATH}/{data['id']}").json()["data"]["state"] == "ready"


def test_a_scanner_that_hangs_releases_nothing(
    owner: User, local_files: Path, clamd: Clamd, drain: Drain, settings: Any
) -> None:
    clamd.hangs, settings.CLAMD_TIMEOUT_SECONDS = True, 1
    create_file(owner)

    drain()

    assert FileVersion.objects.get().state == FileState.QUARANTINED


def test_what_the_scanner_does_not_take_stays_in_quarantine(
    owner: User, local_files: Path, clamd: Clamd, drain: Drain
) -> None:
    clamd.most_bytes = 5
    create_file(owner)

    drain()

    version = FileVersion.objects.get()
    assert (version.state, version.problem) == (FileState.QUARANTINED, "too_large_to_scan")
    assert not OutboxRow.objects.exists()


def test_without_a_scanner_nothing_changes(owner: User, client_of: ClientOf, local_files: Path) -> None:
    assert uploaded(client_of(owner))["state"] == "ready"
    assert not OutboxRow.objects.filter(task="resources.tasks.scan_file").exists()


def test_a_verdict_on_what_is_gone_meanwhile_is_none(owner: User, local_files: Path, clamd: Clamd) -> None:
    file = create_file(owner)
    version = FileVersion.objects.get()
    file.delete()

    scan_version(version.pk)

    assert clamd.scanned == []


def test_files_are_scanned_once_more_when_somebody_asks(
    owner: User, client_of: ClientOf, local_files: Path, clamd: Clamd, drain: Drain, settings: Any, capsys: Any
) -> None:
    place, settings.CLAMD = settings.CLAMD, {}
    old = create_file(owner, pictures.plain() + EICAR, "old.png")
    attach(old, create_resource(owner).pk)
    client_of(owner).get(f"{PATH}/{old.pk}/image?w=48")
    with pytest.raises(CommandError, match="CLAMD_URL"):
        call_command("files_rescan")
    settings.CLAMD = place
    waiting = create_file(owner)
    OutboxRow.objects.all().delete()

    call_command("files_rescan")
    call_command("files_rescan", "--all")
    assert OutboxRow.objects.filter(task="resources.tasks.scan_file").count() == 1
    call_command("files_rescan", "--all", "--yes")
    drain()

    assert capsys.readouterr().out.splitlines() == [
        "1 content(s) will be scanned.",
        "Would have 2 content(s) scanned; --yes does it.",
        "2 content(s) will be scanned.",
    ]
    states = {version.file_id: version.state for version in FileVersion.objects.all()}
    assert states == {old.pk: FileState.REJECTED, waiting.pk: FileState.READY}
    assert (FileVariant.objects.count(), File.objects.get(pk=old.pk).version) == (0, 1)
