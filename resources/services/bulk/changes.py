"""What each step of a batch comes to: a change that nothing forbids yet, or what its own call would have answered."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django.db.models import F, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.utils import timezone

from core.errors import ApplicationError, NotFound
from core.identifiers import uuid7
from core.permissions import Caller
from resources.access import Action, Asker
from resources.keywords.sealing import opened
from resources.models import ITEM, Resource, ResourceQuerySet, ResourceReference
from resources.schemas import Keywords
from resources.schemas.keywords import CASCADE, RESTRICT
from resources.services.bulk.steps import Outcome, Outcomes, Step
from resources.services.records import Content, Kind, judge_changes, judge_new, patched, type_named
from resources.services.references import lost_targets
from resources.services.side_rows import Written
from resources.services.transitions import told_of_way, way_out
from resources.services.watching import followers_of_each
from resources.services.writing import NO_KEYWORDS, NOTHING, keywords_of, require, state_of


@dataclass(slots=True)
class Change:
    """A resource as it is to be written, the state before, and what its event says beside the difference."""

    place: int
    resource: Resource
    before: dict[str, Any]
    keywords: Keywords = NO_KEYWORDS
    written: Written | None = None
    """What rows beside the resource go by, where they may differ."""
    external_id: str | None = None
    """The one that it has from now on and had not."""
    former_external_id: str | None = None
    told: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    audience: tuple[UUID, ...] = ()


@dataclass(slots=True)
class Plan:
    """The changes of a batch, what has become of its other steps, and those that are to be done alone."""

    changes: list[Change] = field(default_factory=list)
    outcomes: Outcomes = field(default_factory=dict)
    alone: list[int] = field(default_factory=list)

    def refuse(self, place: int, error: ApplicationError) -> None:
        self.outcomes[place] = Outcome(error=error)


Steps = Mapping[int, Step]
_Judge = Callable[[int, Resource, Step], Change | None]


def planned(op: str, *, actor: Caller, steps: Steps) -> Plan:
    """Return what the steps of this kind come to, with their resources locked."""
    return _PLANS[op](actor, steps)


def _creations(actor: Caller, steps: Steps) -> Plan:
    plan = Plan()
    kinds: dict[str, Kind] = {}
    for place, step in steps.items():
        values = dict(step.values)
        key = values.pop("type", ITEM)
        try:
            kind = kinds.get(key) or kinds.setdefault(key, type_named(key))
            resource, written = judge_new(actor=actor, kind=kind, owner_id=actor.own_id, content=Content(**values))
        except ApplicationError as error:
            plan.refuse(place, error)
        else:
            plan.changes.append(
                Change(place, resource, {}, written.keywords, written, external_id=resource.external_id)
            )
    return plan


def _updates(actor: Caller, steps: Steps) -> Plan:
    def judge(place: int, resource: Resource, step: Step) -> Change | None:
        values, given = patched(resource, step.values)
        former = resource.external_id
        judged = judge_changes(resource, values, actor=actor, given=given)
        if judged is None:
            return None
        change = Change(place, resource, judged.before, judged.written.keywords)
        if "data" in judged.changed:
            change.written = judged.written
        if "external_id" in judged.changed:
            change.external_id, change.former_external_id = resource.external_id, former
        return change

    return _of_targets(actor, steps, Resource.objects.visible_to(actor), Action.WRITE, judge)


def _deletions(actor: Caller, steps: Steps) -> Plan:
    moment = timezone.now()

    def judge(place: int, resource: Resource, step: Step) -> Change:
        return _moved(place, resource, deleted_at=moment, deleted_by_id=actor.id, delete_op=uuid7())

    referred = ResourceReference.objects.filter(on_delete__in=[RESTRICT, CASCADE], resource__deleted_at__isnull=True)

    def apart(found: Sequence[Resource]) -> set[UUID]:
        return _ids(referred, "target_id", found)

    return _of_targets(actor, steps, Resource.objects.visible_to(actor), Action.DELETE, judge, apart=apart)


def _restorations(actor: Caller, steps: Steps) -> Plan:
    def judge(place: int, resource: Resource, step: Step) -> Change:
        change = _moved(place, resource, deleted_at=None, deleted_by_id=None, delete_op=None)
        clear = opened(resource.data, resource.id)
        change.written = Written(resource.id, resource.type_key, {}, clear, keywords_of(resource))
        change.external_id = resource.external_id
        return change

    # What went to the bin together comes back together, what needs something that is there waits for it, and of what
    # refers to something that is no more the data changes.
    held = ResourceReference.objects.filter(on_delete__in=[RESTRICT, CASCADE])
    together = held.filter(on_delete=CASCADE, resource__delete_op=F("target__delete_op"))
    waiting = held.filter(target__deleted_at__isnull=False)

    def apart(found: Sequence[Resource]) -> set[UUID]:
        lost = lost_targets(found)
        return {*lost, *_ids(together, "target_id", found), *_ids(waiting, "resource_id", found)}

    return _of_targets(actor, steps, Resource.all_objects.in_bin_of(actor), Action.DELETE, judge, apart=apart)


def _transitions(actor: Caller, steps: Steps) -> Plan:
    def judge(place: int, resource: Resource, step: Step) -> Change | None:
        way = way_out(resource, step.values["transition"], actor=actor)
        told = told_of_way(way, resource)
        judged = judge_changes(resource, {"status": way.to}, actor=actor, is_told=True)
        return None if judged is None else Change(place, resource, judged.before, judged.written.keywords, told=told)

    among = Resource.objects.visible_to(actor).with_workflow()
    plan = _of_targets(actor, steps, among, Action.READ, judge)
    if plan.changes:
        followers = followers_of_each([change.resource for change in plan.changes], actor=actor)
        for change in plan.changes:
            change.audience = tuple(followers[change.resource.id])
    return plan


def _of_targets(
    actor: Caller,
    steps: Steps,
    among: ResourceQuerySet,
    action: Action,
    judge: _Judge,
    *,
    apart: Callable[[Sequence[Resource]], set[UUID]] | None = None,
) -> Plan:
    """Judge each step by its resource; those whose ids `apart` finds are done alone."""
    plan, asker = Plan(), Asker.of(actor)
    found = _locked([step.id for step in steps.values() if step.id], among, asker)
    alone = apart(list(found.values())) if apart is not None and found else set()
    for place, step in steps.items():
        resource = found.get(step.id) if step.id else None
        if resource is not None and resource.id in alone:
            plan.alone.append(place)
            continue
        try:
            change = _judged(place, resource, step, asker, action, judge)
        except ApplicationError as error:
            plan.refuse(place, error)
            continue
        if change is None:
            plan.outcomes[place] = Outcome(resource)
        else:
            plan.changes.append(change)
    return plan


def _judged(
    place: int, resource: Resource | None, step: Step, asker: Asker, action: Action, judge: _Judge
) -> Change | None:
    if resource is None:
        raise NotFound
    require(resource, asker, action)
    step.precondition(resource.version)
    return judge(place, resource, step)


def _locked(ids: list[UUID], among: ResourceQuerySet, asker: Asker) -> dict[UUID, Resource]:
    # One array: five hundred parameters would cost more than what they ask for.
    wanted = Q(id__in=RawSQL("SELECT unnest(%s::uuid[])", [ids]))  # values are parameters
    rows = among.with_share(asker).with_present_schema().filter(wanted).order_by("id")
    return {row.id: row for row in rows.select_for_update(of=("self",), no_key=True)}


def _ids(rows: QuerySet[ResourceReference], column: str, among: Sequence[Resource]) -> set[UUID]:
    return set(rows.filter(**{f"{column}__in": [row.id for row in among]}).values_list(column, flat=True))


def _moved(place: int, resource: Resource, **values: Any) -> Change:
    for name, value in values.items():
        setattr(resource, name, value)
    resource.version += 1
    return Change(place, resource, state_of(resource))


_PLANS: Final[dict[str, Callable[[Caller, Steps], Plan]]] = {
    "create": _creations,
    "update": _updates,
    "delete": _deletions,
    "restore": _restorations,
    "transition": _transitions,
}
