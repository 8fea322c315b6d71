"""Making and changing resources. Each verb is one transaction: lock, check, write, version, event."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import orjson
from django.db import transaction
from django.db.models import TextField, Value
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce

from core.errors import Detail, ValidationFailed
from core.permissions import Caller
from core.plans import Fragment, Insertion, Slot, Statement
from resources.access import Action, Asker
from resources.changes import merge_patch
from resources.models import ITEM, Resource, ResourceType
from resources.schemas import compiled
from resources.schemas.workflows import INITIAL
from resources.services.writing import NOTHING, Precondition, lock, no_precondition, record, require, state_of

MAX_DATA_BYTES: Final = 256 * 1024
"""What `data` may weigh as JSON."""

_WRITABLE: Final = ("name", "description", "visibility", "data", "tags", "external_id")


@dataclass(frozen=True, slots=True)
class Content:
    """All that a caller writes of a resource; what is left out has its default."""

    name: str
    description: str = ""
    visibility: str | None = None
    data: dict[str, Any] | None = None
    tags: list[str] | None = None
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """What a new resource takes from its type."""

    id: UUID
    key: str
    schema_version: int
    default_visibility: str
    initial: str


@transaction.atomic
def create_resource(*, actor: Caller, content: Content, type_key: str = ITEM, owner_id: UUID | None = None) -> Resource:
    """Create a resource of the type, owned by `actor` unless said otherwise; return it."""
    kind = _type_named(type_key)
    owner = owner_id or actor.id
    if owner is None:
        raise ValidationFailed.of("owner", "required", "A resource has an owner.")
    resource = Resource(
        type_id=kind.key,
        owner_id=owner,
        schema_version=kind.schema_version,
        status=kind.initial,
        **_complete(content, default_visibility=kind.default_visibility),
    )
    _refuse_bad_data(resource, kind.id)
    _insertion().run(resource)
    record(resource, "created", before={}, actor=actor)
    return resource


@transaction.atomic
def replace_resource(
    *,
    actor: Caller,
    resource_id: UUID,
    content: Content,
    type_key: str | None = None,
    precondition: Precondition = no_precondition,
) -> Resource:
    """Put `content` in the place of all that a caller may write; return the resource. `type_key` must be its type."""
    resource = locked_for_writing(resource_id, actor, precondition)
    _refuse_other_type(resource, type_key)
    return replace_content(resource, content, actor=actor)


def replace_content(resource: Resource, content: Content, *, actor: Caller) -> Resource:
    """Put `content` in the place of all that a caller may write of a locked resource; return it."""
    return apply_changes(resource, _complete(content, default_visibility=resource.visibility), actor=actor)


@transaction.atomic
def patch_resource(
    *, actor: Caller, resource_id: UUID, changes: dict[str, Any], precondition: Precondition = no_precondition
) -> Resource:
    """Change the named fields of the newest state; `data` is merged (RFC 7396), the others are replaced."""
    resource = locked_for_writing(resource_id, actor, precondition)
    _refuse_other_type(resource, changes.get("type"))
    written = {name: value for name, value in changes.items() if name in _WRITABLE}
    if "data" in written:
        written["data"] = merge_patch(resource.data, written["data"])
    return apply_changes(resource, written, actor=actor)


def locked_for_writing(resource_id: UUID, actor: Caller, precondition: Precondition) -> Resource:
    """Return the resource, locked, if `actor` may write it; raises as `lock` does."""
    among = Resource.objects.visible_to(actor)
    return lock(resource_id, among=among, actor=actor, action=Action.WRITE, precondition=precondition)


def apply_changes(
    resource: Resource,
    values: dict[str, Any],
    *,
    actor: Caller,
    action: str = "updated",
    told: Mapping[str, Any] = NOTHING,
    audience: Iterable[UUID] = (),
) -> Resource:
    """Write the values that differ to a locked resource, judged by the present schema; return it.

    `action` names the version and its event, `told` is what that event says beside what changed, and `audience` who
    hears of it. Without a difference and with nothing `told` there is no write.
    """
    changed = [name for name, value in values.items() if getattr(resource, name) != value]
    if not changed and not told:
        return resource
    if "visibility" in changed:
        require(resource, Asker.of(actor), Action.SHARE)
    before = state_of(resource)
    for name in changed:
        setattr(resource, name, values[name])
    resource.schema_version = resource.present_schema_version
    _refuse_bad_data(resource, resource.present_type_id)
    resource.version += 1
    resource.save(update_fields=[*changed, "schema_version", "version"])
    record(resource, action, before=before, actor=actor, told=told, audience=audience)
    return resource


def _refuse_other_type(resource: Resource, type_key: str | None) -> None:
    if type_key not in {None, resource.type_key}:
        raise ValidationFailed.of("type", "immutable", "A resource keeps its type.")


def _type_named(key: str) -> Kind:
    row = _type_statement().fetch({"key": key})
    if row is None:
        raise ValidationFailed.of("type", "does_not_exist", "There is no such resource type.")
    type_id, number, visibility, initial = (value.decode() for value in row if value is not None)
    return Kind(UUID(type_id), key, int(number), visibility, initial)


@lru_cache(maxsize=1)
def _type_statement() -> Statement:
    kinds = ResourceType.objects.filter(key=Slot("key", TextField()))
    initial = Coalesce(KT("workflow__initial"), Value(INITIAL, TextField()))
    columns = kinds.values_list("id", "schema_version", "default_visibility", initial)
    return Statement("{kinds}", kinds=Fragment.of(columns))


@lru_cache(maxsize=1)
def _insertion() -> Insertion:
    return Insertion(Resource, "id", "type", "owner", "schema_version", "status", *_WRITABLE)


def _complete(content: Content, *, default_visibility: str) -> dict[str, Any]:
    return {
        "name": content.name,
        "description": content.description,
        "visibility": content.visibility or default_visibility,
        "data": content.data or {},
        "tags": content.tags or [],
        "external_id": content.external_id,
    }


def _refuse_bad_data(resource: Resource, type_id: UUID) -> None:
    """Raise `ValidationFailed` for data that is too heavy, or not as the type's schema says."""
    if len(orjson.dumps(resource.data)) > MAX_DATA_BYTES:
        message = f"Data may weigh {MAX_DATA_BYTES // 1024} KiB as JSON."
        raise ValidationFailed(details=[Detail("data", "too_large", message)])
    compiled(type_id, resource.schema_version).validate(resource.data)
