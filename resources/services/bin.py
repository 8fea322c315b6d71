"""The bin: deleting, bringing back, destroying."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.services.sessions import require_recent_sign_in
from core.events import publish
from core.identifiers import uuid7
from core.permissions import Caller
from resources.access import Action, Asker
from resources.models import Resource
from resources.services.writing import Precondition, lock, no_precondition, record, state_of


@transaction.atomic
def move_to_bin(*, actor: Caller, resource_id: UUID, precondition: Precondition = no_precondition) -> Resource:
    """Move a resource to the bin, as one operation that one restore undoes; return it."""
    among = Resource.objects.visible_to(actor)
    resource = lock(resource_id, among=among, actor=actor, action=Action.DELETE, precondition=precondition)
    _write(resource, deleted_at=timezone.now(), deleted_by_id=actor.id, delete_op=uuid7())
    record(resource, "deleted", before=state_of(resource), actor=actor)
    return resource


@transaction.atomic
def restore_resource(*, actor: Caller, resource_id: UUID, precondition: Precondition = no_precondition) -> Resource:
    """Bring a resource back from the bin, with all that its delete took along; return it."""
    among = Resource.all_objects.in_bin_of(actor)
    resource = lock(resource_id, among=among, actor=actor, action=Action.DELETE, precondition=precondition)
    _write(resource, deleted_at=None, deleted_by_id=None, delete_op=None)
    record(resource, "restored", before=state_of(resource), actor=actor)
    return resource


@transaction.atomic
def destroy_resource(*, actor: Caller, resource_id: UUID, precondition: Precondition = no_precondition) -> None:
    """Remove a resource and its history for good, from the bin or from the list.

    An owner needs a recent sign-in; who holds `delete:resource` does not.
    """
    binned = Resource.all_objects.in_bin_of(actor)
    among = binned if binned.filter(id=resource_id).exists() else Resource.objects.visible_to(actor)
    resource = lock(resource_id, among=among, actor=actor, action=Action.DESTROY, precondition=precondition)
    _require_recent_sign_in(actor, resource)
    publish("resource.destroyed", subject=resource, actor=actor, data={"before": state_of(resource)})
    resource.delete()


def _write(resource: Resource, **values: Any) -> None:
    for name, value in values.items():
        setattr(resource, name, value)
    resource.version += 1
    resource.save(update_fields=[*values, "version"])


def _require_recent_sign_in(actor: Caller, resource: Resource) -> None:
    if not Asker.of(actor).deletes.reaches(resource.type_key):
        require_recent_sign_in(actor)
