"""What every write of a resource shares: the door, the version row, the event."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from core.errors import NotFound, PermissionDenied
from core.events import publish
from core.permissions import Caller
from core.plans import Insertion
from resources.access import Action, Asker, Holding, Level, Verdict, decide
from resources.changes import difference
from resources.keywords.sealing import sealed
from resources.models import Resource, ResourceQuerySet, ResourceVersion
from resources.schemas import Keywords, compiled
from resources.schemas.keywords import OWNER, Path

Precondition = Callable[[int], None]
"""Gets the version that was found and raises when the caller had another one in mind (If-Match)."""

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})

CREATED: Final = "created"

NO_KEYWORDS: Final = Keywords()

_STATE: Final = ("name", "description", "status", "visibility", "data", "tags", "external_id", "schema_version")


def no_precondition(version: int) -> None:
    """Let any version be written over: the write is applied to the newest state."""


def lock(
    resource_id: UUID,
    *,
    among: ResourceQuerySet,
    actor: Caller,
    action: Action,
    precondition: Precondition = no_precondition,
) -> Resource:
    """Return the resource, locked, in its newest state, if `actor` may do `action`.

    Raises `NotFound` for what is not in `among`, `PermissionDenied` for what may be read but not this,
    and whatever the precondition raises.
    """
    asker = Asker.of(actor)
    found = (
        among.with_share(asker)
        .with_present_schema()
        .select_for_update(of=("self",), no_key=action is not Action.DESTROY)
    )
    resource = found.filter(id=resource_id).order_by().first()
    if resource is None:
        raise NotFound
    require(resource, asker, action)
    precondition(resource.version)
    return resource


def require(resource: Resource, asker: Asker, action: Action) -> None:
    """Raise `PermissionDenied` unless the asker may do this with a row that carries its `share`."""
    if not verdict_on(resource, asker, action).allowed:
        raise PermissionDenied


def verdict_on(resource: Resource, asker: Asker, action: Action) -> Verdict:
    """Return what the rules say of the asker and a row that carries its `share`."""
    share = Level(resource.share)  # type: ignore[attr-defined]  # annotated by with_share
    return decide(asker, Holding(resource.owner_id, resource.type_key, resource.visibility, share), action)


def state_of(resource: Resource) -> dict[str, Any]:
    """Return the whole state that a version keeps."""
    return {
        "type": resource.type_id,
        "owner": str(resource.owner_id),
        **{name: getattr(resource, name) for name in _STATE},
    }


def is_first_by_owner(resource: Resource, action: str, actor: Caller) -> bool:
    """Return whether the resource itself is the version that this write makes, until the next one: none is written."""
    return resource.version == 1 and action == CREATED and actor.id == resource.owner_id


def told_of(
    resource_id: UUID, before: dict[str, Any], after: dict[str, Any], keywords: Keywords
) -> dict[str, dict[str, Any]]:
    """Return what an event tells of two states: what differs, by dotted path.

    Values that not everybody may read are sealed, and `readers` says who may know that they changed.
    """
    paths = [rule.path for rule in keywords.read if rule.path not in keywords.encrypted]
    if paths:
        before = _sealed_state(resource_id, before, paths, stored=None)
        after = _sealed_state(resource_id, after, paths, stored=before)
    old, new = difference(before, after)
    facts = {"before": old, "after": new}
    if keywords.read:
        owner = str(after.get("owner") or before.get("owner"))
        facts["readers"] = {
            ".".join(("data", *rule.path)): sorted(owner if role == OWNER else role for role in rule.roles)
            for rule in keywords.read
        }
    return facts


def _sealed_state(
    resource_id: UUID, state: dict[str, Any], paths: Sequence[Path], *, stored: dict[str, Any] | None
) -> dict[str, Any]:
    if "data" not in state:
        return state
    known = (stored or {}).get("data")
    return {**state, "data": sealed(state["data"], paths, resource_id=resource_id, stored=known)}


def keywords_of(resource: Resource) -> Keywords:
    """Return the keywords of a row that carries its present schema."""
    return compiled(resource.present_type_id, resource.present_schema_version).keywords


@lru_cache(maxsize=1)
def _version_insertion() -> Insertion:
    return Insertion(ResourceVersion, "id", "resource", "number", "action", "actor", "snapshot", "changed")


def record(
    resource: Resource,
    action: str,
    *,
    before: dict[str, Any],
    actor: Caller,
    keywords: Keywords = NO_KEYWORDS,
    told: Mapping[str, Any] = NOTHING,
    audience: Iterable[UUID] = (),
) -> None:
    """Write the version and the event of the write that has just been made; the event says `told` as well.

    `keywords` is needed where `data` may differ.
    """
    after = state_of(resource)
    old, new = difference(before, after)
    if not is_first_by_owner(resource, action, actor):
        _version_insertion().run(
            ResourceVersion(
                resource=resource,
                number=resource.version,
                action=action,
                actor_id=actor.id,
                snapshot=after,
                changed=sorted({**old, **new}),
            )
        )
    facts = (
        {**told_of(resource.id, before, after, keywords), **told}
        if keywords.read
        else {"before": old, "after": new, **told}
    )
    publish(f"resource.{action}", subject=resource, actor=actor, data=facts, audience=audience)
