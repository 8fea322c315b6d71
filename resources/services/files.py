"""Files: the content is examined and stored first, then a row names it.

Whatever breaks off in between leaves a content that no row names, never a row without its content;
`resources.services.file_sweeps` finds it a day later.
"""

from dataclasses import dataclass
from io import BytesIO
from uuid import UUID

from django.core.files.storage import default_storage
from django.db import transaction

from core.content_types import sent_as
from core.errors import Conflict, NotFound, PermissionDenied
from core.events import publish
from core.permissions import ADMIN, Caller
from core.queue import enqueue, enqueue_many
from core.scanner import is_configured
from core.storage import signed_url
from resources.models import File, FileState, FileVariant, FileVersion
from resources.services.file_contents import Examined, examine, store
from resources.services.file_quota import lock_quota, refuse_beyond_quota
from resources.services.variants import forget_variants
from resources.services.writing import Precondition, no_precondition


@dataclass(frozen=True, slots=True)
class NewContent:
    """A file as it was sent: what the client calls it and takes it for, and its bytes."""

    name: str
    content: bytes
    claimed_type: str = ""


def file_for(caller: Caller, file_id: UUID) -> FileVersion:
    """Return the present version of a file that the caller may read, with file and owner; `NotFound` for any other."""
    found = find_file(caller, file_id)
    if found is None:
        raise NotFound
    return found


def find_file(caller: Caller, file_id: UUID) -> FileVersion | None:
    """Return the same, and None where there is nothing to see."""
    readable = File.objects.visible_to(caller).filter(pk=file_id)
    return FileVersion.objects.present().filter(file__in=readable).select_related("file__owner").first()


def link_to(version: FileVersion) -> str | None:
    """Return a signed link of five minutes to the content, as a download; None where there is nothing to send."""
    if version.state != FileState.READY:
        return None
    kind = sent_as(version.content_type)
    return signed_url(version.key, filename=version.name, content_type=kind, may_be_cached=False)


def content_link(caller: Caller, file_id: UUID) -> str:
    """Return such a link; raises `NotFound`, and `Conflict` while the file is not ready."""
    link = link_to(file_for(caller, file_id))
    if link is None:
        raise Conflict("This file is not ready.")
    return link


def upload_file(*, actor: Caller, sent: NewContent) -> FileVersion:
    """Keep what was sent as a new file of the actor's; return its first version.

    Raises `ValidationFailed` (see `file_contents`), `PayloadTooLarge` beyond the quota, `ServiceUnavailable`.
    """
    refuse_beyond_quota(actor.own_id, len(sent.content))
    content = BytesIO(sent.content)
    found = examine(content, name=sent.name, claimed_type=sent.claimed_type)
    key = store(content)
    try:
        return _create(actor=actor, name=sent.name, found=found, key=key)
    except Exception:
        default_storage.delete(key)
        raise


@transaction.atomic
def delete_file(*, actor: Caller, file_id: UUID, precondition: Precondition = no_precondition) -> None:
    """Remove a file that no resource has, with all its versions: its owner may, and an administrator.

    `precondition` is given the number of the version that it shows. Raises `NotFound`, `PermissionDenied`, and
    `Conflict` while a resource has it.
    """
    file = locked_file(file_id, actor=actor)
    precondition(file.version)
    if file.attachments.exists():
        raise Conflict("A resource has this file; take it off there first.")
    remove_file(file, actor=actor)


def locked_file(file_id: UUID, *, actor: Caller) -> File:
    """Return the file, locked, if the actor may change it; raises `NotFound` or `PermissionDenied`."""
    file = File.objects.select_for_update().filter(pk=file_id).first()
    if file is None or not File.objects.visible_to(actor).filter(pk=file_id).exists():
        raise NotFound
    if file.owner_id != actor.id and not actor.holds(ADMIN):
        raise PermissionDenied
    return file


def remove_file(file: File, *, actor: Caller) -> None:
    """Delete a locked file that no resource has; its contents go after commit."""
    versions = list(file.versions.values_list("key", "name", "number"))
    names = [name for _, name, number in versions if number == file.version]
    publish("file.deleted", subject=file, actor=actor, data={"before": {"name": names[0]}}, audience=[file.owner_id])
    forget_variants(FileVariant.objects.of_file(file.pk))
    # Of one that is pending, or was refused, something may be there too; to remove nothing is no fault.
    enqueue_many("core.tasks.remove_file", [{"name": key} for key, _, _ in versions])
    file.delete()


@transaction.atomic
def _create(*, actor: Caller, name: str, found: Examined, key: str) -> FileVersion:
    lock_quota(actor.own_id)
    refuse_beyond_quota(actor.own_id, found.size)
    file = File.objects.create(owner_id=actor.own_id)
    version = add_row(file, number=1, name=name, found=found, key=key)
    publish("file.created", subject=file, actor=actor, data={"after": told(version)}, audience=[file.owner_id])
    return file_for(actor, file.pk)


def add_row(file: File, *, number: int, name: str, found: Examined, key: str) -> FileVersion:
    """Write the row of a content that is stored under `key`."""
    version = FileVersion.objects.create(
        file=file,
        number=number,
        name=name,
        content_type=found.content_type,
        size=found.size,
        sha256=found.sha256,
        width=found.width,
        height=found.height,
        state=state_at_first(),
        key=key,
    )
    await_verdict(version)
    return version


def state_at_first() -> FileState:
    """Return the state of a content that has just come in: where there is a scanner, it looks first."""
    return FileState.QUARANTINED if is_configured() else FileState.READY


def await_verdict(version: FileVersion) -> None:
    """Promise that the scanner looks at a version in quarantine."""
    if version.state == FileState.QUARANTINED:
        enqueue("resources.tasks.scan_file", version_id=version.pk)


def told(version: FileVersion) -> dict[str, object]:
    """Return what the log says of a version."""
    return {
        "name": version.name,
        "content_type": version.content_type,
        "size": version.size,
        "version": version.number,
    }
