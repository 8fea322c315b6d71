"""One step for itself, by the service that its own call uses."""

from collections.abc import Callable
from typing import Any, Final

from core.permissions import Caller
from resources.models import ITEM, Resource
from resources.services.bin import move_to_bin, restore_resource
from resources.services.bulk.steps import Known, Outcome, Step
from resources.services.records import Content, create_resource, patch_resource
from resources.services.transitions import make_transition


def attempt(*, actor: Caller, step: Step, known: Known) -> Outcome:
    """Do one step in a transaction of its own, that of its service; faults of ours are raised."""
    try:
        return Outcome(_VERBS[step.op](actor, step))
    except Exception as error:
        told = known(error)
        if told is None:
            raise
        return Outcome(error=told)


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
    return {"resource_id": step.id, "precondition": step.precondition}


_VERBS: Final[dict[str, Callable[[Caller, Step], Resource]]] = {
    "create": _create,
    "update": _update,
    "delete": _delete,
    "restore": _restore,
    "transition": _transition,
}
OPERATIONS: Final = tuple(_VERBS)
