"""Making and changing resources. Each verb is one transaction: lock, check, write, version, event."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from django.db.models import TextField, Value
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce

from core.errors import Conflict, ValidationFailed
from core.permissions import Caller
from core.plans import Fragment, Insertion, Slot, Statement
from core.transactions import atomic
from resources.access import Action, Asker
from resources.changes import is_same, merge_patch
from resources.keywords.sealing import opened, sealed
from resources.models import ITEM, Resource, ResourceType
from resources.schemas import compiled
from resources.schemas.workflows import INITIAL
from resources.services.judging import Rules, refuse_bad_data
from resources.services.side_rows import Written, keep_references, refuse, taken_values, unknown_targets
from resources.services.writing import CREATED, NOTHING, Precondition, lock, no_precondition, record, require, state_of

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


@atomic
def create_resource(*, actor: Caller, content: Content, type_key: str = ITEM, owner_id: UUID | None = None) -> Resource:
    """Create a resource of the type, owned by `actor` unless said otherwise; return it."""
    owner = owner_id or actor.id
    if owner is None:
        raise ValidationFailed.of("owner", "required", "A resource has an owner.")
    resource, written = judge_new(actor=actor, kind=type_named(type_key), owner_id=owner, content=content)
    _insertion().run(resource)
    _keep_side_rows(written, actor)
    record(resource, CREATED, before={}, actor=actor, keywords=written.keywords)
    return resource


def judge_new(*, actor: Caller, kind: Kind, owner_id: UUID, content: Content) -> tuple[Resource, Written]:
    """Return a resource that its schema and the field rules allow, as it will be stored and with its data in clear."""
    resource = new_resource(kind, owner_id, content)
    schema = compiled(kind.id, kind.schema_version)
    data = Rules.of(actor, schema.keywords, owns=owner_id == actor.id).applied(
        resource.data, before={}, given=resource.data
    )
    refuse_bad_data(data, schema)
    resource.data = sealed(data, schema.keywords.encrypted, resource_id=resource.id)
    return resource, Written(resource.id, kind.key, {}, data, schema.keywords)


def new_resource(kind: Kind, owner_id: UUID, content: Content) -> Resource:
    """Return a resource of the kind that is in no table yet, its data in clear."""
    return Resource(
        type_id=kind.key,
        owner_id=owner_id,
        schema_version=kind.schema_version,
        status=kind.initial,
        **complete(content, default_visibility=kind.default_visibility),
    )


@atomic
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
    values = complete(content, default_visibility=resource.visibility)
    return apply_changes(resource, values, actor=actor, given=values["data"])


@atomic
def patch_resource(
    *, actor: Caller, resource_id: UUID, changes: dict[str, Any], precondition: Precondition = no_precondition
) -> Resource:
    """Change the named fields of the newest state; `data` is merged (RFC 7396), the others are replaced."""
    resource = locked_for_writing(resource_id, actor, precondition)
    values, given = patched(resource, changes)
    return apply_changes(resource, values, actor=actor, given=given)


def patched(resource: Resource, changes: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
    """Return what the resource would hold with the changes, and what they say of `data`; refuses another type."""
    _refuse_other_type(resource, changes.get("type"))
    values = {name: value for name, value in changes.items() if name in _WRITABLE}
    given = values.get("data")
    if given is not None:
        values["data"] = merge_patch(opened(resource.data, resource.id), given)
    return values, given


def locked_for_writing(resource_id: UUID, actor: Caller, precondition: Precondition) -> Resource:
    """Return the resource, locked, if `actor` may write it; raises as `lock` does."""
    among = Resource.objects.visible_to(actor)
    return lock(resource_id, among=among, actor=actor, action=Action.WRITE, precondition=precondition)


def apply_changes(
    resource: Resource,
    values: dict[str, Any],
    *,
    actor: Caller,
    given: Any = None,
    action: str = "updated",
    told: Mapping[str, Any] = NOTHING,
    audience: Iterable[UUID] = (),
) -> Resource:
    """Write the values that differ to a locked resource, judged by the present schema; return it.

    `data` is in clear. What `actor` may not write of it stays as it is, and raises `PermissionDenied` where `given`,
    which is what they sent, says otherwise. `action` names the version and its event, and `told` is what that event
    says beside what changed, `audience` who hears of it. Without a difference and with nothing `told` there is no
    write.
    """
    judged = judge_changes(resource, values, actor=actor, given=given, is_told=bool(told))
    if judged is None:
        return resource
    resource.save(update_fields=[*judged.changed, "schema_version", "version"])
    if "data" in judged.changed:
        _keep_side_rows(judged.written, actor)
    keywords = judged.written.keywords
    record(resource, action, before=judged.before, actor=actor, keywords=keywords, told=told, audience=audience)
    return resource


@dataclass(frozen=True, slots=True)
class Judged:
    """A change that is allowed: the names of what differs, the state before, and the data in clear."""

    changed: tuple[str, ...]
    before: dict[str, Any]
    written: Written


def judge_changes(
    resource: Resource, values: Mapping[str, Any], *, actor: Caller, given: Any = None, is_told: bool = False
) -> Judged | None:
    """Give the locked resource those of the values that differ, as its present schema allows it, and write nothing.

    None where nothing differs and nothing else `is_told` of it.
    """
    schema = compiled(resource.present_type_id, resource.present_schema_version)
    clear = opened(resource.data, resource.id)
    data = values.get("data", clear)
    if data is not clear:
        data = Rules.of(actor, schema.keywords, owns=resource.owner_id == actor.id).applied(
            data, before=clear, given=given
        )
    changed = [name for name, value in values.items() if name != "data" and getattr(resource, name) != value]
    if not is_same(data, clear):
        changed.append("data")
    if not changed and not is_told:
        return None
    if "visibility" in changed:
        require(resource, Asker.of(actor), Action.SHARE)
    refuse_bad_data(data, schema)
    before = state_of(resource)
    stored = sealed(data, schema.keywords.encrypted, resource_id=resource.id, stored=resource.data)
    for name in changed:
        setattr(resource, name, stored if name == "data" else values[name])
    resource.schema_version = resource.present_schema_version
    resource.version += 1
    return Judged(tuple(changed), before, Written(resource.id, resource.type_key, clear, data, schema.keywords))


def _keep_side_rows(written: Written, actor: Caller) -> None:
    """Take the unique values and write the references of one record; raises `Conflict` or `ValidationFailed`."""
    keywords = written.keywords
    if keywords.references:
        refuse(unknown_targets([written], actor), ValidationFailed)
        keep_references([written])
    if keywords.unique:
        refuse(taken_values([written]), Conflict)


def _refuse_other_type(resource: Resource, type_key: str | None) -> None:
    if type_key not in {None, resource.type_key}:
        raise ValidationFailed.of("type", "immutable", "A resource keeps its type.")


def type_named(key: str) -> Kind:
    """Return what a new resource of the type takes from it; raises `ValidationFailed` where there is none."""
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


def complete(content: Content, *, default_visibility: str) -> dict[str, Any]:
    """Return all that a caller writes, by field."""
    return {
        "name": content.name,
        "description": content.description,
        "visibility": content.visibility or default_visibility,
        "data": content.data or {},
        "tags": content.tags or [],
        "external_id": content.external_id,
    }
