"""The bin: deleting, bringing back, destroying."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.utils import timezone

from accounts.services.sessions import require_recent_sign_in
from core.errors import Conflict
from core.events import publish
from core.identifiers import uuid7
from core.permissions import Caller
from core.transactions import atomic
from resources.access import Action, Asker
from resources.keywords.sealing import opened
from resources.models import Resource
from resources.services.references import (
    Places,
    brought_back,
    clear_references,
    emptied,
    lost_targets,
    refuse_before_targets,
    taken_along,
    told_of_destroyed,
)
from resources.services.side_rows import Written, give_back, refuse, taken_values
from resources.services.writing import Precondition, keywords_of, lock, no_precondition, record, state_of, told_of


@atomic
def move_to_bin(*, actor: Caller, resource_id: UUID, precondition: Precondition = no_precondition) -> Resource:
    """Move a resource to the bin with what `cascade` joins to it, as one operation that one restore undoes; return it.

    Raises `Conflict` while something that is in use refers to it and forbids it.
    """
    among = Resource.objects.visible_to(actor)
    resource = lock(resource_id, among=among, actor=actor, action=Action.DELETE, precondition=precondition)
    _bin([resource, *taken_along(resource, actor=actor)], actor)
    return resource


@atomic
def restore_resource(*, actor: Caller, resource_id: UUID, precondition: Precondition = no_precondition) -> Resource:
    """Bring a resource back from the bin, with all that its delete took along; return it.

    Ids of what was destroyed meanwhile are taken out. Raises `Conflict` where one of its unique values is taken by now,
    or while something that it cannot be without is in the bin.
    """
    among = Resource.all_objects.in_bin_of(actor)
    resource = lock(resource_id, among=among, actor=actor, action=Action.DELETE, precondition=precondition)
    rows = [resource, *brought_back(resource)]
    lost = lost_targets(rows)
    refuse_before_targets(rows)
    for row in rows:
        _bring_back(row, lost.get(row.id, []), actor)
    refuse(taken_values([_as_new(row) for row in rows]), Conflict)
    return resource


@atomic
def destroy_resource(*, actor: Caller, resource_id: UUID, precondition: Precondition = no_precondition) -> None:
    """Remove a resource and its history for good, from the bin or from the list.

    What `cascade` joins to it goes to the bin, and `set_null` takes it out of the others that refer to it. An owner
    needs a recent sign-in; who holds `delete:resource` does not.
    """
    binned = Resource.all_objects.in_bin_of(actor)
    among = binned if binned.filter(id=resource_id).exists() else Resource.objects.visible_to(actor)
    resource = lock(resource_id, among=among, actor=actor, action=Action.DESTROY, precondition=precondition)
    _require_recent_sign_in(actor, resource)
    _bin(taken_along(resource, actor=actor), actor)
    clear_references([resource.id])
    facts = told_of(resource.id, state_of(resource), {}, keywords_of(resource))
    del facts["after"]
    publish("resource.destroyed", subject=resource, actor=actor, data=facts)
    resource.delete()


def _bin(resources: Sequence[Resource], actor: Caller) -> None:
    """Move the locked resources to the bin by one operation; their unique values are free from now on."""
    operation, moment = uuid7(), timezone.now()
    for resource in resources:
        _write(resource, deleted_at=moment, deleted_by_id=actor.id, delete_op=operation)
        record(resource, "deleted", before=state_of(resource), actor=actor)
        if keywords_of(resource).unique:
            give_back(resource)


def _bring_back(resource: Resource, lost: Places, actor: Caller) -> None:
    before, back = state_of(resource), {"deleted_at": None, "deleted_by_id": None, "delete_op": None}
    if not lost:
        _write(resource, **back)
        record(resource, "restored", before=before, actor=actor)
        return
    # The new data is not judged: whoever writes it next has to give what the schema then demands.
    _write(resource, **back, data=emptied(resource.data, lost))
    told = told_of_destroyed(lost)
    record(resource, "restored", before=before, actor=actor, keywords=keywords_of(resource), told=told)


def _as_new(resource: Resource) -> Written:
    """Return the resource as one that takes all of its unique values anew."""
    clear = opened(resource.data, resource.id)
    return Written(resource.id, resource.type_key, {}, clear, keywords_of(resource))


def _write(resource: Resource, **values: Any) -> None:
    for name, value in values.items():
        setattr(resource, name, value)
    resource.version += 1
    resource.save(update_fields=[*values, "version"])


def _require_recent_sign_in(actor: Caller, resource: Resource) -> None:
    if not Asker.of(actor).deletes.reaches(resource.type_key):
        require_recent_sign_in(actor)
