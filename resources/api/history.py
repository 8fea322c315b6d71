"""Versions as they are read: who may, and what one looks like."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from core.errors import NotFound
from core.permissions import Caller
from resources.changes import difference
from resources.models import Resource, ResourceVersion


def versions_of(caller: Caller, resource_id: UUID) -> QuerySet[ResourceVersion]:
    """Return the versions of a resource that the caller may read; `NotFound` for any other."""
    if not Resource.objects.visible_to(caller).filter(id=resource_id).exists():
        raise NotFound
    return ResourceVersion.objects.filter(resource_id=resource_id).select_related("actor")


def version_of(caller: Caller, resource_id: UUID, number: int) -> ResourceVersion:
    """Return one version; `NotFound` where there is none to see."""
    version = versions_of(caller, resource_id).filter(number=min(number, 2**31 - 1)).first()
    if version is None:
        raise NotFound
    return version


def shape(version: ResourceVersion) -> dict[str, Any]:
    """Return the version as the list shows it."""
    actor = version.actor
    return {
        "number": version.number,
        "action": version.action,
        "actor": None if actor is None else {"id": actor.id, "name": actor.name},
        "changed": version.changed,
        "created_at": version.created_at,
    }


def whole_shape(version: ResourceVersion) -> dict[str, Any]:
    """Return the version with the whole state after it."""
    return {**shape(version), "snapshot": version.snapshot}


def diff_shape(caller: Caller, resource_id: UUID, a: int, b: int) -> dict[str, Any]:
    """Return what has to change to get from version `a` to version `b`; `NotFound` where one of them is not seen."""
    wanted = versions_of(caller, resource_id).filter(number__in=[min(number, 2**31 - 1) for number in (a, b)])
    snapshots = dict(wanted.values_list("number", "snapshot"))
    if not {a, b} <= snapshots.keys():
        raise NotFound
    before, after = difference(snapshots[a], snapshots[b])
    sides = (("before", before), ("after", after))
    changes = [
        {"path": path, **{name: side[path] for name, side in sides if path in side}}
        for path in sorted({**before, **after})
    ]
    return {"from": a, "to": b, "changes": changes}
