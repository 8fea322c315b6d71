"""Types: made, changed and deleted by staff; a new schema is a new version, and live rows that it refuses stop it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, transaction

from core.errors import Conflict, Detail, NotFound, PermissionDenied
from core.events import publish
from core.permissions import ADMIN, Caller
from resources.models import ITEM, Resource, ResourceType, ResourceTypeVersion
from resources.schemas import Schema, refuse_bad_schema, refuse_bad_workflow
from resources.schemas.workflows import states_of
from resources.services.writing import Precondition, no_precondition
from resources.visibility import Visibility

SHOWN_IDS: Final = 10
"""How many of the rows that a change would refuse are named."""

_CHUNK: Final = 2_000

Refusal = Callable[[str, dict[str, Any]], bool]
"""Whether a row with this status and this data would be refused."""


@dataclass(frozen=True, slots=True)
class NewType:
    """What a type is made of."""

    key: str
    name: str
    schema: dict[str, Any] = field(default_factory=lambda: {"type": "object"})
    description: str = ""
    icon: str = ""
    workflow: dict[str, Any] | None = None
    default_visibility: str = Visibility.PRIVATE.value
    comments: bool = True
    trash_days: int = 30


def create_type(*, actor: Caller, new: NewType) -> ResourceType:
    """Make a type; raises `PermissionDenied`, `ValidationFailed` and `Conflict` for a key that is taken."""
    _require_admin(actor)
    refuse_bad_schema(new.schema)
    refuse_bad_workflow(new.workflow)
    try:
        return _insert(actor, new)
    except IntegrityError:
        raise _taken() from None


@transaction.atomic
def change_type(
    *,
    actor: Caller,
    key: str,
    changes: Mapping[str, Any],
    force: bool = False,
    precondition: Precondition = no_precondition,
) -> ResourceType:
    """Apply the fields of `changes` that differ to the newest state of the type.

    A schema or workflow that live rows do not fit raises `Conflict` with their number and up to ten ids, unless
    `force`; such rows stay readable and are judged at their next write. Raises `NotFound` and `ValidationFailed`, too.
    """
    _require_admin(actor)
    kind = _locked(key)
    precondition(kind.version)
    before = {name: getattr(kind, name) for name, value in changes.items() if getattr(kind, name) != value}
    after = {name: changes[name] for name in before}
    if not after:
        return kind
    _refuse_bad_change(kind, after, force=force)
    _apply(kind, after)
    publish("resource_type.updated", subject=kind, actor=actor, data={"before": before, "after": after})
    return kind


@transaction.atomic
def delete_type(*, actor: Caller, key: str, precondition: Precondition = no_precondition) -> None:
    """Delete a type that no resource has, not even in the bin; raises `NotFound` or `Conflict`."""
    _require_admin(actor)
    # Locked against new references too, so that what is counted here is all there is.
    kind = ResourceType.objects.select_for_update().filter(key=key).first()
    if kind is None:
        raise NotFound
    precondition(kind.version)
    if key == ITEM:
        raise Conflict("The type item is part of the product and stays.")
    live = Resource.objects.filter(type_id=key).count()
    binned = Resource.all_objects.dead().filter(type_id=key).count()
    if live or binned:
        raise Conflict(f"This type is in use: {live} resource(s) have it, and {binned} in the bin.")
    publish("resource_type.deleted", subject=kind, actor=actor, data={"before": {"key": key, "name": kind.name}})
    kind.delete()


def misfits(key: str, is_refused: Refusal) -> Iterator[UUID]:
    """Yield the ids of the live rows of the type that `is_refused`, in chunks, without holding rows in memory."""
    last: UUID | None = None
    while True:
        rows = Resource.objects.filter(type_id=key).order_by("id")
        chunk = list((rows.filter(id__gt=last) if last else rows).values_list("id", "status", "data")[:_CHUNK])
        yield from (row_id for row_id, status, data in chunk if is_refused(status, data))
        if len(chunk) < _CHUNK:
            return
        last = chunk[-1][0]


def count_misfits(key: str, changes: Mapping[str, Any]) -> int:
    """Return how many live rows of the type the changed schema or workflow would refuse."""
    if not changes.keys() & {"schema", "workflow"}:
        return 0
    return sum(1 for _ in misfits(key, _refusal(changes)))


def _require_admin(actor: Caller) -> None:
    if not actor.holds(ADMIN):
        raise PermissionDenied


@transaction.atomic
def _insert(actor: Caller, new: NewType) -> ResourceType:
    kind = ResourceType.objects.create(**asdict(new))
    ResourceTypeVersion.objects.create(type=kind, number=kind.schema_version, schema=kind.schema)
    publish("resource_type.created", subject=kind, actor=actor, data={"after": asdict(new)})
    return kind


def _refuse_bad_change(kind: ResourceType, after: Mapping[str, Any], *, force: bool) -> None:
    if "schema" in after:
        refuse_bad_schema(after["schema"])
    if "workflow" in after:
        refuse_bad_workflow(after["workflow"])
    if kind.key == ITEM and after.keys() & {"schema", "workflow"}:
        raise Conflict("The type item takes any object and has no workflow; make a type of your own.")
    if not force and after.keys() & {"schema", "workflow"}:
        _refuse_misfits(kind, after)


def _refuse_misfits(kind: ResourceType, after: Mapping[str, Any]) -> None:
    refused = list(misfits(kind.key, _refusal(after)))
    if refused:
        message = f"{len(refused)} resource(s) would not fit; `force` changes the type all the same."
        shown = [Detail("id", "misfit", str(row_id)) for row_id in refused[:SHOWN_IDS]]
        raise Conflict(message, details=[Detail(None, "misfits", str(len(refused))), *shown])


def _refusal(after: Mapping[str, Any]) -> Refusal:
    """Return the test of a row by what would be new."""
    schema = Schema(after["schema"]) if "schema" in after else None
    states = states_of(after["workflow"]) if "workflow" in after else None
    return lambda status, data: (
        (states is not None and status not in states) or (schema is not None and not schema.accepts(data))
    )


def _apply(kind: ResourceType, after: Mapping[str, Any]) -> None:
    for name, value in after.items():
        setattr(kind, name, value)
    kind.version += 1
    if "schema" in after:
        kind.schema_version += 1
        ResourceTypeVersion.objects.create(type=kind, number=kind.schema_version, schema=kind.schema)
    kind.save(update_fields=[*after, "version", "schema_version"])


def _locked(key: str) -> ResourceType:
    kind = ResourceType.objects.select_for_update(no_key=True).filter(key=key).first()
    if kind is None:
        raise NotFound
    return kind


def _taken() -> Conflict:
    return Conflict(details=[Detail("key", "unique", "There is a type with this key already.")])
