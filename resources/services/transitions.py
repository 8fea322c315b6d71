"""Transitions: the ways of a type's workflow, and who may take which of them when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self
from uuid import UUID

from core.errors import Conflict, Detail, NotFound, PermissionDenied, ValidationFailed
from core.permissions import Caller
from core.transactions import atomic
from resources.access import Action, Asker, Level
from resources.keywords.field_rules import hidden_paths, is_hidden, without
from resources.keywords.sealing import opened
from resources.models import Resource
from resources.schemas.keywords import Path
from resources.services.records import apply_changes
from resources.services.watching import followers_of
from resources.services.writing import Precondition, keywords_of, lock, no_precondition, verdict_on

_EMPTY: Final[tuple[Any, ...]] = (None, "", [], {})
"""What counts as not given; 0 and false are values."""

_ROLE: Final = "role:"


@dataclass(frozen=True, slots=True)
class Transition:
    """One way between states, as the type's workflow tells it."""

    name: str
    sources: tuple[str, ...]
    to: str
    require: tuple[str, ...]
    allow: tuple[str, ...]

    @classmethod
    def all_of(cls, workflow: Mapping[str, Any] | None) -> list[Self]:
        """Return the transitions of the workflow in its order."""
        return [
            cls(
                one["name"],
                tuple(one["from"]),
                one["to"],
                tuple(one.get("require", ())),
                tuple(one.get("allow", ["owner"])),
            )
            for one in (workflow or {}).get("transitions", ())
        ]

    def is_open_to(self, asker: Asker, level: Level) -> bool:
        """Return whether someone with this level may take it; a level includes those below it."""
        return asker.is_admin or any(
            who == f"{_ROLE}{asker.role}" if who.startswith(_ROLE) else level >= Level[who.upper()]
            for who in self.allow
        )

    def missing(self, data: Mapping[str, Any]) -> list[str]:
        """Return the required paths (`data.customer.name`) at which nothing is given."""
        return [f"data.{path}" for path in self.require if _at(data, path) in _EMPTY]

    def requires_any_of(self, hidden: Sequence[Path]) -> bool:
        """Return whether it depends on a value that stands at one of the paths, or below."""
        return any(is_hidden(f"data.{path}", hidden) for path in self.require)


@dataclass(frozen=True, slots=True)
class Offer:
    """A transition that a caller may take now, and what the data lacks for it yet."""

    transition: Transition
    missing: list[str]


def transitions_open_to(*, actor: Caller, resource_id: UUID) -> list[Offer]:
    """Return the ways out of the resource's present state that `actor` may take; `NotFound` where nothing is seen."""
    asker = Asker.of(actor)
    resource = (
        Resource.objects.visible_to(actor)
        .with_workflow()
        .with_present_schema()
        .with_share(asker)
        .filter(id=resource_id)
        .order_by()
        .first()
    )
    if resource is None:
        raise NotFound
    hidden = _hidden_from(asker, resource)
    return [
        Offer(way, way.missing(_seen(resource, hidden)))
        for way in Transition.all_of(resource.workflow)
        if resource.status in way.sources and _is_open(way, resource, asker, hidden)
    ]


@atomic
def make_transition(
    *, actor: Caller, resource_id: UUID, name: str, precondition: Precondition = no_precondition
) -> Resource:
    """Take the resource through the transition; return it.

    Raises `NotFound` for what the actor may not read, `Conflict` for a transition that the workflow lacks or that does
    not lead out of the present state, `PermissionDenied` for one that is not for them, and `ValidationFailed` with
    each path that has to be given first, or that the present schema refuses.
    """
    among = Resource.objects.visible_to(actor).with_workflow()
    resource = lock(resource_id, among=among, actor=actor, action=Action.READ, precondition=precondition)
    way = way_out(resource, name, actor=actor)
    told = told_of_way(way, resource)
    followers = followers_of(resource, actor=actor)
    return apply_changes(
        resource, {"status": way.to}, actor=actor, action="transitioned", told=told, audience=followers
    )


def way_out(resource: Resource, name: str, *, actor: Caller) -> Transition:
    """Return the transition of this name, which the actor may take with this locked resource now; else raise."""
    way, asker = _way_named(name, resource), Asker.of(actor)
    hidden = _hidden_from(asker, resource)
    if not _is_open(way, resource, asker, hidden):
        raise PermissionDenied
    _refuse_wrong_moment(way, resource, hidden)
    return way


def told_of_way(way: Transition, resource: Resource) -> dict[str, str]:
    """Return what the event says of the transition that the resource is about to take."""
    return {"name": way.name, "from": resource.status, "to": way.to}


def _way_named(name: str, resource: Resource) -> Transition:
    for way in Transition.all_of(resource.workflow):
        if way.name == name:
            return way
    raise Conflict("The workflow of this type has no such transition.")


def _hidden_from(asker: Asker, resource: Resource) -> tuple[Path, ...]:
    return hidden_paths(asker, keywords_of(resource), owns=asker.user is not None and asker.user == resource.owner_id)


def _is_open(way: Transition, resource: Resource, asker: Asker, hidden: Sequence[Path]) -> bool:
    """Return whether the asker may take the way: one that depends on what they may not read would tell them of it."""
    return way.is_open_to(asker, verdict_on(resource, asker, Action.READ).level) and not way.requires_any_of(hidden)


def _seen(resource: Resource, hidden: Sequence[Path]) -> dict[str, Any]:
    return without(opened(resource.data, resource.id), hidden)


def _refuse_wrong_moment(way: Transition, resource: Resource, hidden: Sequence[Path]) -> None:
    if resource.status not in way.sources:
        raise Conflict(f"This transition does not lead out of the state {resource.status}.")
    missing = way.missing(_seen(resource, hidden))
    if missing:
        raise ValidationFailed(
            details=[Detail(path, "required", "This has to be given before the transition.") for path in missing]
        )


def _at(data: Any, path: str) -> Any:
    """Return what stands at the dotted path, or None; a part may be a place in a list (`lines.0.text`)."""
    for part in path.split("."):
        if isinstance(data, Mapping):
            data = data.get(part)
        elif isinstance(data, list) and part.isdecimal() and len(part) < 10 and int(part) < len(data):
            data = data[int(part)]
        else:
            return None
    return data
