"""Bulk: many writes in one request, all of them or each for itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from core.errors import ApplicationError, Detail, PreconditionFailed
from core.permissions import Caller
from resources.models import ITEM, Resource
from resources.services.bin import move_to_bin, restore_resource
from resources.services.records import Content, create_resource, patch_resource
from resources.services.transitions import make_transition
from resources.services.writing import Precondition, no_precondition

Known = Callable[[BaseException], ApplicationError | None]
"""What a caller is told of an error, or None for a fault of ours."""


@dataclass(frozen=True, slots=True)
class Step:
    """One operation: what is done, to which resource (none is made yet), with what."""

    op: str
    values: dict[str, Any]
    id: UUID | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a step: the resource as it was written, or the error."""

    resource: Resource | None = None
    error: ApplicationError | None = None


def apply_together(*, actor: Caller, steps: Sequence[Step], known: Known) -> list[Outcome]:
    """Do every step in one transaction; the first refusal undoes all and is raised with its place before its paths."""
    with transaction.atomic():
        _lock_in_order(actor, steps)
        outcomes = []
        for place, step in enumerate(steps):
            outcome = attempt(actor=actor, step=step, known=known)
            if outcome.error is not None:
                raise placed(outcome.error, place)
            outcomes.append(outcome)
    return outcomes


def attempt(*, actor: Caller, step: Step, known: Known) -> Outcome:
    """Do one step in a transaction of its own; faults of ours are raised."""
    try:
        with transaction.atomic():
            return Outcome(_VERBS[step.op](actor, step))
    except Exception as error:
        told = known(error)
        if told is None:
            raise
        return Outcome(error=told)


def placed(error: ApplicationError, place: int) -> ApplicationError:
    """Return the error with the place of its operation before every path; one without details gets one."""
    path = f"operations.{place}"
    details = error.details or (Detail(None, error.code.lower(), error.text),)
    error.details = tuple(
        Detail(f"{path}.{detail.field}" if detail.field else path, detail.code, detail.message) for detail in details
    )
    return error


def _lock_in_order(actor: Caller, steps: Sequence[Step]) -> None:
    """Lock what the steps are about by id, so that two requests with the same resources never wait in a circle."""
    ids = {step.id for step in steps if step.id is not None}
    if not ids:
        return
    for rows in (Resource.objects.visible_to(actor), Resource.all_objects.in_bin_of(actor)):
        locked = rows.filter(id__in=ids).order_by("id").select_for_update(of=("self",), no_key=True)
        list(locked.values_list("id", flat=True))


def _precondition(step: Step) -> Precondition:
    if step.version is None:
        return no_precondition

    def require(version: int) -> None:
        if version != step.version:
            raise PreconditionFailed

    return require


def _create(actor: Caller, step: Step) -> Resource:
    values = dict(step.values)
    return create_resource(actor=actor, type_key=values.pop("type", ITEM), content=Content(**values))


def _update(actor: Caller, step: Step) -> Resource:
    return patch_resource(actor=actor, changes=step.values, **_target(step))


def _delete(actor: Caller, step: Step) -> Resource:
    return move_to_bin(actor=actor, **_target(step))


def _restore(actor: Caller, step: Step) -> Resource:
    return restore_resource(actor=actor, **_target(step))


def _transition(actor: Caller, step: Step) -> Resource:
    return make_transition(actor=actor, name=step.values["transition"], **_target(step))


def _target(step: Step) -> dict[str, Any]:
    return {"resource_id": step.id, "precondition": _precondition(step)}


_VERBS: Final[dict[str, Callable[[Caller, Step], Resource]]] = {
    "create": _create,
    "update": _update,
    "delete": _delete,
    "restore": _restore,
    "transition": _transition,
}
OPERATIONS: Final = tuple(_VERBS)
