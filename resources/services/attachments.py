"""Files at resources. Attaching is a write of the resource: it raises its version and stands in its history.

Locks are taken file first, then resource: whoever adds a version to a file meets them in the same order.
"""

from typing import Final
from uuid import UUID

from core.errors import Conflict, NotFound, PermissionDenied, ValidationFailed
from core.events import publish
from core.permissions import Caller
from core.transactions import atomic
from resources.access import Action
from resources.models import STORED, File, FileVersion, Resource, ResourceFile
from resources.services.files import find_file
from resources.services.writing import Precondition, lock, no_precondition, record, state_of

MOST_FILES: Final = 100
"""How many files one resource may have."""


@atomic
def attach_file(
    *,
    actor: Caller,
    resource_id: UUID,
    file_id: UUID,
    slot: str = "",
    precondition: Precondition = no_precondition,
) -> tuple[FileVersion, Resource]:
    """Attach a file of the actor's to a resource that they may write; return both.

    Raises `NotFound` and `PermissionDenied` for the resource, `ValidationFailed` for a file that they may not know
    of, `PermissionDenied` for somebody else's, `Conflict` for one that is there already, a slot that is taken, a
    file that is not there yet, and a resource that has a hundred.
    """
    _lock_file(file_id)
    resource = _locked(resource_id, actor, precondition)
    version = _own_version(actor, file_id)
    if version.state not in STORED:
        raise Conflict("This file is not there yet.")
    _refuse_collision(resource, version.file, slot)
    ResourceFile.objects.create(resource=resource, file=version.file, slot=slot)
    File.objects.filter(pk=file_id).update(unattached_since=None)
    _record(resource, "file_attached", actor)
    _publish("file.attached", version.file, resource, slot, actor)
    return version, resource


@atomic
def detach_file(
    *, actor: Caller, resource_id: UUID, file_id: UUID, precondition: Precondition = no_precondition
) -> None:
    """Take a file off a resource that the actor may write; the file stays its owner's.

    Raises `NotFound` for a resource or a file that is not there to see, and `PermissionDenied`.
    """
    _lock_file(file_id)
    resource = _locked(resource_id, actor, precondition)
    found = ResourceFile.objects.filter(resource=resource, file_id=file_id).select_related("file").first()
    if found is None:
        raise NotFound
    found.delete()
    _record(resource, "file_detached", actor)
    _publish("file.detached", found.file, resource, found.slot, actor)


def tell_resources(file_id: UUID, *, actor: Caller) -> None:
    """Raise the version of every resource that shows the file, which has just changed; the file is locked."""
    rows = Resource.all_objects.filter(attachments__file_id=file_id)
    for resource in rows.select_for_update(of=("self",), no_key=True).order_by("pk"):
        _record(resource, "file_changed", actor)


def _lock_file(file_id: UUID) -> None:
    File.objects.select_for_update(no_key=True).filter(pk=file_id).order_by().first()


def _locked(resource_id: UUID, actor: Caller, precondition: Precondition) -> Resource:
    among = Resource.objects.visible_to(actor)
    return lock(resource_id, among=among, actor=actor, action=Action.WRITE, precondition=precondition)


def _own_version(actor: Caller, file_id: UUID) -> FileVersion:
    version = find_file(actor, file_id)
    if version is None:
        raise ValidationFailed.of("file", "does_not_exist", "There is no such file.")
    if version.file.owner_id != actor.id:
        raise PermissionDenied
    return version


def _refuse_collision(resource: Resource, file: File, slot: str) -> None:
    present = list(ResourceFile.objects.filter(resource=resource).values_list("file_id", "slot"))
    if file.pk in {file_id for file_id, _ in present}:
        raise Conflict("The resource has this file already.")
    if slot and slot in {taken for _, taken in present}:
        raise Conflict("This slot holds another file; take it off first.")
    if len(present) >= MOST_FILES:
        raise Conflict(f"A resource has at most {MOST_FILES} files.")


def _record(resource: Resource, action: str, actor: Caller) -> None:
    resource.version += 1
    resource.save(update_fields=["version"])
    record(resource, action, before=state_of(resource), actor=actor)


def _publish(kind: str, file: File, resource: Resource, slot: str, actor: Caller) -> None:
    data = {"resource": str(resource.pk), "slot": slot}
    publish(kind, subject=file, actor=actor, data=data, audience=[file.owner_id])
