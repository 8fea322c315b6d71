"""Types: made, changed and deleted by staff; a new schema is a new version, and live rows that it refuses stop it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError

from core.errors import Conflict, Detail, NotFound, PermissionDenied
from core.events import publish
from core.permissions import ADMIN, Caller
from core.transactions import atomic
from resources.keywords.field_rules import stored_rules
from resources.models import ITEM, VALUES, Resource, ResourceType, ResourceTypeVersion
from resources.schemas import Keywords, refuse_bad_schema, refuse_bad_workflow
from resources.services import followings, share_following
from resources.services.following import has_much_to_follow
from resources.services.indexes import forget_indexes, promise_indexes
from resources.services.keyword_changes import backfill, refuse_unknown_names, reseal
from resources.services.misfits import PATIENCE, misfits, refusal_by
from resources.services.search_index import follow_schema, stored_plan
from resources.services.writing import Precondition, no_precondition
from resources.share_values import plan_of
from resources.visibility import Visibility

SHOWN_IDS: Final = 10
"""How many of the rows that a change would refuse are named."""


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
    refuse_unknown_names(Keywords.of(new.schema), key=new.key)
    try:
        return _insert(actor, new)
    except IntegrityError:
        raise _taken() from None


@atomic
def change_type(
    *,
    actor: Caller,
    key: str,
    changes: Mapping[str, Any],
    force: bool = False,
    precondition: Precondition = no_precondition,
    patience: float | None = PATIENCE,
) -> ResourceType:
    """Apply the fields of `changes` that differ to the newest state of the type.

    A schema or workflow that live rows do not fit raises `Conflict` with their number and up to ten ids, unless
    `force`; such rows stay readable and are judged at their next write. Rows are judged for `patience` seconds at most
    (None: without end); a job sees to what keywords ask of more than a few of them. Raises `NotFound` and
    `ValidationFailed`, too.
    """
    _require_admin(actor)
    kind = _locked(key)
    precondition(kind.version)
    before = {name: getattr(kind, name) for name, value in changes.items() if getattr(kind, name) != value}
    after = {name: changes[name] for name in before}
    if not after:
        return kind
    is_much = "schema" in after and _is_much(kind, after["schema"])
    _refuse_bad_change(kind, after, force=force, patience=patience, is_much=is_much)
    _apply(kind, after)
    if is_much:
        followings.begin(kind, VALUES, actor=actor)
    if "schema" in after:
        promise_indexes(kind, actor=actor)
        follow_schema(kind, actor=actor)
        share_following.follow_schema(kind, actor=actor)
    publish("resource_type.updated", subject=kind, actor=actor, data={"before": before, "after": after})
    return kind


@atomic
def delete_type(*, actor: Caller, key: str, precondition: Precondition = no_precondition) -> None:
    """Delete a type that no resource has, not even in the bin, and no other type's schema names.

    Raises `NotFound` or `Conflict`.
    """
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
    if naming := types_that_name(key):
        raise Conflict(f"This type is in use: the schema of {', '.join(naming[:10])} refers to it.")
    forget_indexes(kind, actor=actor)
    publish("resource_type.deleted", subject=kind, actor=actor, data={"before": {"key": key, "name": kind.name}})
    kind.delete()


def types_that_name(key: str) -> list[str]:
    """Return the keys of the other types whose schemas refer to this one."""
    kinds = ResourceType.objects.exclude(key=key).order_by("key").values_list("key", "schema")
    return [other for other, schema in kinds if any(one.type == key for one in Keywords.of(schema).references)]


def _require_admin(actor: Caller) -> None:
    if not actor.holds(ADMIN):
        raise PermissionDenied


@atomic
def _insert(actor: Caller, new: NewType) -> ResourceType:
    kind = ResourceType.objects.create(**asdict(new), **_stored(new.schema))
    ResourceTypeVersion.objects.create(type=kind, number=kind.schema_version, schema=kind.schema)
    promise_indexes(kind, actor=actor)
    publish("resource_type.created", subject=kind, actor=actor, data={"after": asdict(new)})
    return kind


def _stored(schema: dict[str, Any]) -> dict[str, Any]:
    """Return what SQL goes by that follows from the first schema of a type."""
    keywords = Keywords.of(schema)
    return {
        "field_rules": stored_rules(keywords),
        "search_plan": stored_plan(keywords),
        "share_plan": plan_of(keywords, since=1),
    }


def _refuse_bad_change(
    kind: ResourceType, after: Mapping[str, Any], *, force: bool, patience: float | None, is_much: bool
) -> None:
    if "schema" in after:
        refuse_bad_schema(after["schema"])
        refuse_unknown_names(Keywords.of(after["schema"]), key=kind.key)
    if "workflow" in after:
        refuse_bad_workflow(after["workflow"])
    if kind.key == ITEM and after.keys() & {"schema", "workflow"}:
        raise Conflict("The type item takes any object and has no workflow; make a type of your own.")
    if after.keys() & {"schema", "workflow"}:
        _refuse_misfits(kind, after, force=force, patience=patience, is_much=is_much)


def _is_much(kind: ResourceType, schema: Any) -> bool:
    """Return whether the rows are too many to follow the schema at once; raises `ValidationFailed` for what is none."""
    refuse_bad_schema(schema)
    return has_much_to_follow(kind.key, Keywords.of(kind.schema), Keywords.of(schema))


def _refuse_misfits(
    kind: ResourceType, after: Mapping[str, Any], *, force: bool, patience: float | None, is_much: bool
) -> None:
    """Put what stands beside the rows in step with a new schema; raise `Conflict` for rows that do not fit.

    Of many rows that is left to a job, but for what the answer depends on.
    """
    refused: set[UUID] = set()
    if "schema" in after:
        old, new = Keywords.of(kind.schema), Keywords.of(after["schema"])
        if not is_much:
            reseal(kind.key, old, new)
        if not (is_much and force):
            refused |= backfill(kind.key, old, new, patience=patience if is_much else None)
    if force:
        return
    refused.update(misfits(kind.key, refusal_by(after), patience=patience))
    if refused:
        message = f"{len(refused)} resource(s) would not fit; `force` changes the type all the same."
        shown = [Detail("id", "misfit", str(row_id)) for row_id in sorted(refused)[:SHOWN_IDS]]
        raise Conflict(message, details=[Detail(None, "misfits", str(len(refused))), *shown])


def _apply(kind: ResourceType, after: Mapping[str, Any]) -> None:
    for name, value in after.items():
        setattr(kind, name, value)
    kind.version += 1
    if "schema" in after:
        kind.schema_version += 1
        kind.field_rules = stored_rules(Keywords.of(kind.schema))
        ResourceTypeVersion.objects.create(type=kind, number=kind.schema_version, schema=kind.schema)
    kind.save(update_fields=[*after, "version", "schema_version", "field_rules"])


def _locked(key: str) -> ResourceType:
    kind = ResourceType.objects.select_for_update(no_key=True).filter(key=key).first()
    if kind is None:
        raise NotFound
    return kind


def _taken() -> Conflict:
    return Conflict(details=[Detail("key", "unique", "There is a type with this key already.")])
