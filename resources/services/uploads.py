"""Contents that clients send straight to the storage: announced first, examined when they say that it is done.

What is uploaded lies under a name of its own, which the client can reach. The check copies it to another, which no
client can, and reads the copy: what was examined is what is kept. Two checks at once make two copies, and the one
that finds the row still pending puts its own there.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import IO, Final
from uuid import UUID

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models.functions import Now

from core import storage
from core.errors import Conflict, NotFound, PayloadTooLarge, PermissionDenied, ValidationFailed
from core.events import publish
from core.permissions import SYSTEM, Caller
from core.queue import enqueue
from core.storage import UploadWay
from resources.models import File, FileState, FileVersion
from resources.services.file_contents import FOLDER, UPLOADS, Examined, examine_chunks, new_key, refused
from resources.services.file_quota import lock_quota, refuse_beyond_quota
from resources.services.file_versions import file_for_new_version, next_number, show_version
from resources.services.files import await_verdict, file_for, remove_file, state_at_first, told

UPLOAD_LIFETIME: Final = timedelta(hours=1)
"""How long the address of an upload serves."""

_PENDING_FOR: Final = 2 * UPLOAD_LIFETIME
"""How long an upload that was announced is waited for: what began in the last minute has an hour to arrive."""

MOST_PENDING: Final = 100
_MEBIBYTE: Final = 1024 * 1024
_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Announced:
    """A content that is to come, as the client says; all of it is checked."""

    name: str
    content_type: str
    size: int
    sha256: str = ""


@transaction.atomic
def announce_upload(*, actor: Caller, announced: Announced) -> FileVersion:
    """Make the row of a file that the actor will upload, and keep room for it in their quota; return its version.

    Raises `PayloadTooLarge` beyond `FILES_PRESIGN_MEBIBYTES` or the quota, `Conflict` with a hundred unfinished ones.
    """
    _keep_room(actor, announced)
    return _announce(File.objects.create(owner_id=actor.own_id), announced, number=1, actor=actor)


@transaction.atomic
def announce_version(*, actor: Caller, file_id: UUID, announced: Announced) -> FileVersion:
    """Make the row of a newer content of a file of the actor's, which shows the one before until this is complete.

    Raises `NotFound`, `PermissionDenied` for somebody else's, what `announce_upload` raises, and `Conflict` for a file
    that has nothing yet, or a hundred versions.
    """
    if file_for(actor, file_id).state == FileState.PENDING:
        raise Conflict("This file has not been uploaded yet.")
    _keep_room(actor, announced)
    file = file_for_new_version(file_id, actor=actor)
    return _announce(file, announced, number=next_number(file), actor=actor)


def _keep_room(actor: Caller, announced: Announced) -> None:
    """Let nobody else add to the actor's files, and refuse what there is no room for."""
    if announced.size > settings.FILES_PRESIGN_MEBIBYTES * _MEBIBYTE:
        raise PayloadTooLarge(f"A file may weigh {settings.FILES_PRESIGN_MEBIBYTES} MiB.")
    lock_quota(actor.own_id)
    refuse_beyond_quota(actor.own_id, announced.size)
    if FileVersion.objects.filter(file__owner_id=actor.own_id, state=FileState.PENDING).count() >= MOST_PENDING:
        raise Conflict(f"At most {MOST_PENDING} uploads may be unfinished.")


def _announce(file: File, announced: Announced, *, number: int, actor: Caller) -> FileVersion:
    version = FileVersion.objects.create(
        file=file,
        number=number,
        name=announced.name,
        content_type=announced.content_type,
        size=announced.size,
        sha256=announced.sha256,
        state=FileState.PENDING,
        key=new_key(UPLOADS),
    )
    publish("file.announced", subject=file, actor=actor, data={"after": told(version)}, audience=[file.owner_id])
    return version


def way_to(version: FileVersion) -> UploadWay:
    """Return how the client sends the content of a pending version."""
    return storage.upload_way(
        version.key, size=version.size, content_type=version.content_type, expires=UPLOAD_LIFETIME
    )


def receive_upload(token: str, stream: IO[bytes], *, length: int | None) -> None:
    """Keep what a client sends to an upload address of this server: once, and exactly what was announced.

    Raises `NotFound` for an address that serves no more, `Conflict` when the content is there already,
    `ValidationFailed` for another size.
    """
    key, size = storage.open_upload(token)
    if not FileVersion.objects.filter(key=key, state=FileState.PENDING).exists():
        raise NotFound
    if length != size:
        raise ValidationFailed.of("file", "size_mismatch", f"Send exactly {size} bytes.")
    storage.receive(key, stream, size=size)


def complete_upload(*, actor: Caller, file_id: UUID) -> FileVersion:
    """Examine what was uploaded last, and make it the file's content; return that. Asked again, it says the same.

    Raises `NotFound`, `PermissionDenied` for somebody else's, `Conflict` while nothing has arrived, and
    `ValidationFailed` for what is not as announced (see `file_contents`): it is removed, and the file is rejected.
    """
    version = _newest(actor, file_id)
    if version.state != FileState.PENDING:
        return _as_it_ended(version)
    key = new_key(FOLDER)
    try:
        found = _copied(version, key)
    except FileNotFoundError:
        # Nothing has come, or somebody else was quicker to complete it.
        return _as_it_ended(_again(version))
    except ValidationFailed as refusal:
        default_storage.delete(key)
        _reject(version, problem=refusal.details[0].code, actor=actor)
        raise
    except Exception:
        default_storage.delete(key)
        raise
    return _kept(version, found=found, key=key, actor=actor)


def sweep_unfinished() -> int:
    """Remove the contents that were announced and never completed, with what arrived of them; return how many.

    A file that shows nothing else goes with it.
    """
    due = FileVersion.objects.filter(state=FileState.PENDING, created_at__lt=Now() - _PENDING_FOR).order_by("pk")
    removed = 0
    while found := list(due.values_list("pk", "file_id")[:_BATCH]):
        removed += sum(_forget(version_id, file_id) for version_id, file_id in found)
        due = due.filter(pk__gt=found[-1][0])
    return removed


@transaction.atomic
def _forget(version_id: UUID, file_id: UUID) -> bool:
    file = File.objects.select_for_update().filter(pk=file_id).first()
    version = FileVersion.objects.filter(pk=version_id, state=FileState.PENDING).first()
    if file is None or version is None:
        return False
    if version.number == file.version:
        remove_file(file, actor=SYSTEM)
        return True
    enqueue("core.tasks.remove_file", name=version.key)
    version.delete()
    data = {"before": told(version)}
    publish("file.version_removed", subject=file, actor=SYSTEM, data=data, audience=[file.owner_id])
    return True


def _newest(actor: Caller, file_id: UUID) -> FileVersion:
    """Return the version of the actor's file that was announced last, or the one that it shows."""
    shown = file_for(actor, file_id)
    if shown.file.owner_id != actor.id:
        raise PermissionDenied
    newer = FileVersion.objects.filter(file_id=file_id, number__gt=shown.number).order_by("-number")
    return newer.select_related("file__owner").first() or shown


def _again(version: FileVersion) -> FileVersion:
    """Return the version as it is by now; `NotFound` where it is no more."""
    found = FileVersion.objects.filter(pk=version.pk).select_related("file__owner").first()
    if found is None:
        raise NotFound
    return found


def _as_it_ended(version: FileVersion) -> FileVersion:
    if version.state == FileState.PENDING:
        raise Conflict("Nothing has been uploaded yet.")
    if version.state == FileState.REJECTED:
        raise refused(version.problem.partition(":")[0])
    return version


def _copied(version: FileVersion, key: str) -> Examined:
    """Return what the upload is, after copying it to `key`; raises `ValidationFailed`, `FileNotFoundError`."""
    if default_storage.size(version.key) != version.size:
        raise refused("size_mismatch")
    storage.copy(version.key, key)
    found = examine_chunks(storage.chunks(key), name=version.name, claimed_type=version.content_type)
    if found.size != version.size:
        raise refused("size_mismatch")
    if version.sha256 not in {"", found.sha256}:
        raise refused("hash_mismatch")
    return found


def _kept(version: FileVersion, *, found: Examined, key: str, actor: Caller) -> FileVersion:
    """Put the copy in the row's place if it is still pending, and away if not."""
    try:
        is_first = _put(version.pk, found=found, key=key, actor=actor)
    except Exception:
        default_storage.delete(key)
        raise
    if not is_first:
        default_storage.delete(key)
    return _as_it_ended(_again(version))


@transaction.atomic
def _put(version_id: UUID, *, found: Examined, key: str, actor: Caller) -> bool:
    version = _locked_pending(version_id)
    if version is None:
        return False
    file = version.file
    enqueue("core.tasks.remove_file", name=version.key)
    version.key = key
    version.content_type, version.sha256 = found.content_type, found.sha256
    version.width, version.height = found.width, found.height
    version.state = state_at_first()
    version.save(update_fields=["key", "content_type", "sha256", "width", "height", "state"])
    await_verdict(version)
    if version.number > 1:
        show_version(file, version, actor=actor)
    else:
        publish("file.created", subject=file, actor=actor, data={"after": told(version)}, audience=[file.owner_id])
    return True


@transaction.atomic
def _reject(version: FileVersion, *, problem: str, actor: Caller) -> None:
    found = _locked_pending(version.pk)
    if found is None:
        return
    enqueue("core.tasks.remove_file", name=found.key)
    found.state, found.problem = FileState.REJECTED, problem
    found.save(update_fields=["state", "problem"])
    data = {"name": found.name, "problem": problem}
    publish("file.rejected", subject=found.file, actor=actor, data=data, audience=[found.file.owner_id])


def _locked_pending(version_id: UUID) -> FileVersion | None:
    # The file first, as everybody who changes what it shows.
    File.objects.select_for_update(no_key=True).filter(versions=version_id).order_by().first()
    pending = FileVersion.objects.filter(pk=version_id, state=FileState.PENDING).select_related("file")
    return pending.select_for_update(of=("self",), no_key=True).first()
