"""Newer contents of a file: the old ones are kept, and every resource that has the file shows the newest."""

from io import BytesIO
from typing import Final
from uuid import UUID

from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Max, Q, QuerySet

from core.errors import Conflict, NotFound, PermissionDenied
from core.events import publish
from core.permissions import ADMIN, Caller
from resources.models import File, FileState, FileVersion
from resources.services.attachments import tell_resources
from resources.services.file_contents import Examined, examine, store
from resources.services.file_quota import lock_quota, refuse_beyond_quota
from resources.services.files import NewContent, add_row, file_for, told
from resources.services.turning import turn_to

MOST_VERSIONS: Final = 100


def versions_of(caller: Caller, file_id: UUID) -> QuerySet[FileVersion]:
    """Return the versions of a file that the caller may read, newest first; `NotFound` for any other.

    What is to come after the one that it shows has been announced, and is nothing yet. What waits for the scanner, or
    was refused, is seen by its owner, who is to know why.
    """
    shown = file_for(caller, file_id)
    versions = FileVersion.objects.filter(file_id=file_id).order_by("-number")
    if shown.file.owner_id == caller.id or caller.holds(ADMIN):
        return versions.exclude(number__gt=shown.number, state=FileState.PENDING)
    return versions.filter(Q(number=shown.number) | Q(number__lt=shown.number) & ~Q(state=FileState.REJECTED))


def add_version(*, actor: Caller, file_id: UUID, sent: NewContent) -> FileVersion:
    """Keep what was sent as the newest version of a file of the actor's; return it.

    Raises `NotFound`, `PermissionDenied` for somebody else's file, `Conflict` at a hundred versions, and what
    `upload_file` raises.
    """
    _refuse_others(actor, file_for(actor, file_id).file)
    refuse_beyond_quota(actor.own_id, len(sent.content))
    content = BytesIO(sent.content)
    found = examine(content, name=sent.name, claimed_type=sent.claimed_type)
    key = store(content)
    try:
        return _add(actor=actor, file_id=file_id, name=sent.name, found=found, key=key)
    except Exception:
        default_storage.delete(key)
        raise


@transaction.atomic
def _add(*, actor: Caller, file_id: UUID, name: str, found: Examined, key: str) -> FileVersion:
    lock_quota(actor.own_id)
    refuse_beyond_quota(actor.own_id, found.size)
    file = file_for_new_version(file_id, actor=actor)
    version = add_row(file, number=next_number(file), name=name, found=found, key=key)
    show_version(file, version, actor=actor)
    # It may have to wait for the scanner, while the file shows what it did.
    return FileVersion.objects.select_related("file__owner").get(pk=version.pk)


def file_for_new_version(file_id: UUID, *, actor: Caller) -> File:
    """Return the file, locked; raises `NotFound`, and `PermissionDenied` for somebody else's."""
    file = File.objects.select_for_update(no_key=True).filter(pk=file_id).order_by().first()
    if file is None:
        raise NotFound
    _refuse_others(actor, file)
    return file


def next_number(file: File) -> int:
    """Return the number of the next version of a locked file; raises `Conflict` at a hundred."""
    # Not after the one that it shows: a newer one may have been refused, or be on its way.
    last = file.versions.aggregate(last=Max("number"))["last"] or 0
    if last >= MOST_VERSIONS:
        raise Conflict(f"A file has at most {MOST_VERSIONS} versions.")
    return last + 1


def show_version(file: File, version: FileVersion, *, actor: Caller) -> None:
    """Let a locked file show a version that has just come in, unless it shows a newer one, and tell of it.

    One that waits for the scanner is shown when that has looked, if there is something to show until then.
    """
    publish("file.version_added", subject=file, actor=actor, data={"after": told(version)}, audience=[file.owner_id])
    if version.state == FileState.READY or not _is_ready(file):
        turn_to(file, version)
        tell_resources(file.pk, actor=actor)


def _is_ready(file: File) -> bool:
    return file.versions.filter(number=file.version, state=FileState.READY).exists()


def _refuse_others(actor: Caller, file: File) -> None:
    if file.owner_id != actor.id:
        raise PermissionDenied
