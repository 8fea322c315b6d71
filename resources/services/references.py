"""What becomes of resources that refer to one that is deleted, as `on_delete` of their `x-ref` says."""

from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet

from core.errors import Conflict, Detail
from core.permissions import SYSTEM, Caller
from core.purge import before_removal
from resources.models import Resource, ResourceReference
from resources.schemas.keywords import CASCADE, RESTRICT, SET_NULL
from resources.services.audience import writers_of_each
from resources.services.side_rows import targets
from resources.services.writing import keywords_of, record, state_of

Places = list[tuple[str, UUID]]
"""Where ids stand in data, and which."""

SHOWN_IDS: Final = 10
"""How many of the resources that stand in the way are named, of those that the caller may read."""

_HOLD: Final = "SELECT id FROM resources WHERE id = ANY(%s) ORDER BY id FOR SHARE"


def taken_along(resource: Resource, *, actor: Caller) -> list[Resource]:
    """Return the live resources that go to the bin with this one, locked; raises `Conflict` where one forbids it."""
    live = Q(resource__deleted_at__isnull=True)
    if not ResourceReference.objects.filter(live, target_id=resource.id).exists():
        return []
    gone: set[UUID] = set()
    followers: list[Resource] = []
    # What is locked gets no new reference, so the last look finds what the one before it found.
    while (found := _followers({resource.id}, live)) != gone:
        gone, followers = found, _locked(found)
    _refuse_restricted(resource, followers, actor)
    return followers


def company_of(ids: Iterable[UUID]) -> set[UUID]:
    """Return what goes to the bin with these, and what went there with them: what moves when they do."""
    found = set(ids)
    if not found:
        return set()
    together = Resource.all_objects.filter(id__in=found, delete_op__isnull=False).order_by().values("delete_op")
    back = Resource.all_objects.filter(delete_op__in=together).order_by().values_list("id", flat=True)
    return {*_followers(found, Q(resource__deleted_at__isnull=True)), *back}


def brought_back(resource: Resource) -> list[Resource]:
    """Return the resources that the deletion of this one took along to the bin, locked."""
    return _locked(_followers({resource.id}, Q(resource__delete_op=resource.delete_op)))


def refuse_before_targets(resources: Sequence[Resource]) -> None:
    """Raise `Conflict` while something is in the bin that the resources, which come back, cannot be without."""
    ids = [resource.id for resource in resources]
    waiting = ResourceReference.objects.filter(
        resource_id__in=ids, on_delete__in=[RESTRICT, CASCADE], target__deleted_at__isnull=False
    ).exclude(target_id__in=ids)
    paths = sorted({path for _, path in _holding(waiting)})
    details = [Detail(f"data.{path}", "in_bin", "What this refers to is in the bin.") for path in paths]
    if details:
        raise Conflict("Restore first what it refers to.", details=details)


def lost_targets(resources: Iterable[Resource]) -> dict[UUID, Places]:
    """Return where resources that come back refer to what was destroyed meanwhile.

    What is there, in use or in the bin, neither goes nor moves until the transaction ends: whoever destroys it waits,
    and finds the resources in use.
    """
    named = {row.id: _named_by(row) for row in resources}
    wanted = {target for places in named.values() for _, target in places} - named.keys()
    if not wanted:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, [list(wanted)])
        there = named.keys() | {row[0] for row in cursor.fetchall()}
    lost = {
        row_id: [(path, target) for path, target in places if target not in there] for row_id, places in named.items()
    }
    return {row_id: places for row_id, places in lost.items() if places}


def emptied(data: dict[str, Any], places: Places) -> dict[str, Any]:
    """Return the data without these ids at these paths: the property goes, or the item of the list."""
    for path, target in places:
        data = _emptied(data, path.split("."), str(target))
    return data


def told_of_destroyed(places: Places) -> dict[str, list[str]]:
    """Return what the event says of ids that were taken out."""
    return {"destroyed": sorted({str(target) for _, target in places})}


def clear_references(destroyed: Iterable[UUID]) -> int:
    """Take resources that are about to be destroyed out of the live ones that refer to them; return how many changed.

    The new data is not judged: whoever writes it next has to give what the schema then demands.
    """
    wanted = set(destroyed)
    # A `restrict` that is left by now is that of somebody who could hold nothing back.
    rows = ResourceReference.objects.filter(
        target_id__in=wanted, on_delete__in=[SET_NULL, RESTRICT], resource__deleted_at__isnull=True
    ).values_list("resource_id", "path", "target_id")
    places: dict[UUID, Places] = {}
    for source_id, path, target in rows:
        places.setdefault(source_id, []).append((path, target))
    for source in _locked(places):
        _clear(source, places[source.id])
    return len(places)


@before_removal(Resource)
def let_go(ids: Sequence[object]) -> None:
    """Take what the bin loses out of the live records that refer to it."""
    clear_references(row_id for row_id in ids if isinstance(row_id, UUID))


def _clear(source: Resource, places: Places) -> None:
    before = state_of(source)
    source.data = emptied(source.data, places)
    source.version += 1
    source.save(update_fields=["data", "version"])
    told = told_of_destroyed(places)
    record(source, "updated", before=before, actor=SYSTEM, keywords=keywords_of(source), told=told)


def _named_by(resource: Resource) -> Places:
    references = keywords_of(resource).references
    return [(".".join(one.path), target) for one in references for target in targets(resource.data, one)]


def _emptied(data: Any, path: list[str], target: str) -> Any:
    if not isinstance(data, dict) or path[0] not in data:
        return data
    name, *rest = path
    value = data[name]
    if rest:
        return {**data, name: _emptied(value, rest, target)}
    if isinstance(value, list):
        return {**data, name: [item for item in value if item != target]}
    return {key: kept for key, kept in data.items() if key != name} if value == target else data


def _followers(found: set[UUID], among: Q) -> set[UUID]:
    """Return the resources that `cascade` joins to the found ones, over any number of steps."""
    frontier, followers = found, set[UUID]()
    while frontier:
        rows = ResourceReference.objects.filter(among, target_id__in=frontier, on_delete=CASCADE)
        frontier = set(rows.values_list("resource_id", flat=True)) - followers - found
        followers |= frontier
    return followers


def _refuse_restricted(resource: Resource, followers: Sequence[Resource], actor: Caller) -> None:
    # What a mere reader has tied to the resource goes along and holds nothing back, whatever they have tied to that.
    writers = writers_of_each([resource], {resource.id: {one.owner_id for one in followers}}) if followers else set()
    bound = [resource.id, *(one.id for one in followers if (resource.id, one.owner_id) in writers)]
    rows = ResourceReference.objects.filter(
        target_id__in=bound, on_delete=RESTRICT, resource__deleted_at__isnull=True
    ).exclude(resource_id__in=[resource.id, *(one.id for one in followers)])
    sources = {source for source, _ in _holding(rows)}
    if not sources:
        return
    seen = Resource.objects.visible_to(actor).filter(id__in=sources).order_by("id").values_list("id", flat=True)
    shown = [Detail("id", "referrer", str(row_id)) for row_id in seen[:SHOWN_IDS]]
    message = f"{len(sources)} resource(s) refer to this."
    raise Conflict(message, details=[Detail(None, "referrers", str(len(sources))), *shown])


def _holding(rows: QuerySet[ResourceReference]) -> set[tuple[UUID, str]]:
    """Return the resources and paths of the references that hold: not those of who may only read what they refer to."""
    found = list(rows.values_list("resource_id", "path", "on_delete", "resource__owner_id", "target_id"))
    owners: dict[UUID, set[UUID]] = {}
    for *_, on_delete, owner, target in found:
        if on_delete == RESTRICT:
            owners.setdefault(target, set()).add(owner)
    targets = list(Resource.all_objects.filter(id__in=list(owners)).order_by())
    writers = writers_of_each(targets, owners) if owners else set()
    return {
        (source, path)
        for source, path, on_delete, owner, target in found
        if on_delete != RESTRICT or (target, owner) in writers
    }


def _locked(ids: Iterable[UUID]) -> list[Resource]:
    wanted = list(ids)
    if not wanted:
        return []
    rows = Resource.all_objects.with_present_schema().filter(id__in=wanted)
    return list(rows.select_for_update(of=("self",), no_key=True).order_by("id"))
