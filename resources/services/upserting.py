"""Upsert: a resource under the id that another system gave it, made or replaced, however often it is sent."""

from typing import Final
from uuid import UUID

from django.db import IntegrityError

from core.errors import Conflict, NotFound
from core.permissions import Caller
from core.transactions import atomic
from resources.access import Action
from resources.models import Resource, ResourceQuerySet
from resources.services.records import Content, create_resource, replace_content
from resources.services.writing import Precondition, lock, no_precondition

ABSENT: Final = 0
"""The version of what is not there yet, for the precondition."""

_ATTEMPTS: Final = 5


def upsert_resource(
    *, actor: Caller, type_key: str, content: Content, precondition: Precondition = no_precondition
) -> tuple[Resource, bool]:
    """Make or replace the actor's resource of this type with `content.external_id`; return it and whether it is new.

    Ids of others are theirs: the namespace is the type and the owner. What lies in the bin is not replaced. Raises what
    creating and replacing raise; the precondition gets `ABSENT` where there is nothing.
    """
    for _ in range(_ATTEMPTS):
        found = _own(actor, type_key, content)
        try:
            if found is not None:
                return _replace(actor, found, type_key, content, precondition), False
            precondition(ABSENT)
            return create_resource(actor=actor, content=content, type_key=type_key), True
        except (NotFound, IntegrityError):
            # Deleted, or made, between the look and the write: the constraint has the last word, and we look again.
            if _own(actor, type_key, content) == found:
                raise
    raise Conflict


@atomic
def _replace(actor: Caller, resource_id: UUID, type_key: str, content: Content, precondition: Precondition) -> Resource:
    # Among the actor's own under this id alone: in the meantime it may have been transferred or named otherwise.
    among = _own_rows(Resource.objects.visible_to(actor), actor, type_key, content)
    resource = lock(resource_id, among=among, actor=actor, action=Action.WRITE, precondition=precondition)
    return replace_content(resource, content, actor=actor)


def _own(actor: Caller, type_key: str, content: Content) -> UUID | None:
    rows = _own_rows(Resource.objects.all(), actor, type_key, content)
    return rows.values_list("id", flat=True).first()


def _own_rows(rows: ResourceQuerySet, actor: Caller, type_key: str, content: Content) -> ResourceQuerySet:
    mine = rows.filter(owner_id=actor.own_id, external_id=content.external_id)
    return mine.filter(type_id=type_key)  # type: ignore[misc]  # the stubs take the column for the id
