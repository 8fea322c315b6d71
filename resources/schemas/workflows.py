"""The states that a type's resources pass through, and the ways between them."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from core.errors import Detail, ValidationFailed
from resources.access import Level

INITIAL: Final = "active"
"""The state of a resource whose type has no workflow."""

MAX_STATES: Final = 50
MAX_TRANSITIONS: Final = 200

_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,49}")
_MEMBERS: Final = {"initial", "states", "transitions"}
_TRANSITION_MEMBERS: Final = {"name", "from", "to", "require", "allow"}
_LEVELS: Final = frozenset({level.label for level in Level.shareable()} | {"owner"})


def initial_state(workflow: Mapping[str, Any] | None) -> str:
    """Return the state that a new resource begins in."""
    return INITIAL if workflow is None else str(workflow["initial"])


def states_of(workflow: Mapping[str, Any] | None) -> list[str]:
    """Return every state there is."""
    return [INITIAL] if workflow is None else list(workflow["states"])


def refuse_bad_workflow(workflow: Any) -> None:
    """Raise `ValidationFailed` with a path for each fault (`workflow.transitions.0.to`); None is no workflow."""
    if workflow is None:
        return
    details = list(_faults(workflow))
    if details:
        raise ValidationFailed(details=details[:20])


def _faults(workflow: Any) -> Iterator[Detail]:
    if not isinstance(workflow, dict):
        yield Detail("workflow", "not_an_object", "A workflow is a JSON object.")
        return
    yield from _unknown(workflow, _MEMBERS, "workflow")
    states = workflow.get("states")
    if not _is_list_of_names(states, at_most=MAX_STATES) or not states:
        yield Detail("workflow.states", "invalid", f"Give 1 to {MAX_STATES} different names of states.")
        return
    if workflow.get("initial") not in states:
        yield Detail("workflow.initial", "unknown_state", "Give one of the states.")
    yield from _transition_faults(workflow.get("transitions", []), states)


def _transition_faults(transitions: Any, states: list[str]) -> Iterator[Detail]:
    if not isinstance(transitions, list) or len(transitions) > MAX_TRANSITIONS:
        yield Detail("workflow.transitions", "invalid", f"Give a list of at most {MAX_TRANSITIONS}.")
        return
    seen: set[Any] = set()
    for place, transition in enumerate(transitions):
        path = f"workflow.transitions.{place}"
        if not isinstance(transition, dict):
            yield Detail(path, "not_an_object", "A transition is a JSON object.")
            continue
        yield from _unknown(transition, _TRANSITION_MEMBERS, path)
        yield from _faults_of(transition, states, path)
        name = transition.get("name")
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name in seen:
            yield Detail(f"{path}.name", "invalid", "Give a name that no other transition has.")
            continue
        seen.add(name)


def _faults_of(transition: dict[str, Any], states: list[str], path: str) -> Iterator[Detail]:
    sources = transition.get("from")
    if not _is_list_of_names(sources, at_most=MAX_STATES) or not sources or not set(sources) <= set(states):
        yield Detail(f"{path}.from", "unknown_state", "Give a list of states.")
    if transition.get("to") not in states:
        yield Detail(f"{path}.to", "unknown_state", "Give one of the states.")
    required = transition.get("require", [])
    if not isinstance(required, list) or not all(isinstance(name, str) and name for name in required):
        yield Detail(f"{path}.require", "invalid", "Give a list of paths within `data`.")
    allowed = transition.get("allow", ["owner"])
    if not isinstance(allowed, list) or not all(_is_somebody(who) for who in allowed):
        yield Detail(f"{path}.allow", "invalid", f"Give {', '.join(sorted(_LEVELS))} or role:<name>.")


def _is_somebody(who: Any) -> bool:
    return isinstance(who, str) and (who in _LEVELS or (who.startswith("role:") and len(who) > len("role:")))


def _is_list_of_names(value: Any, *, at_most: int) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= at_most
        and all(isinstance(name, str) and _NAME.fullmatch(name) for name in value)
        and len(set(value)) == len(value)
    )


def _unknown(given: dict[str, Any], known: set[str], path: str) -> Iterator[Detail]:
    for name in given.keys() - known:
        yield Detail(f"{path}.{name[:100]}", "unknown_field", "There is no such field.")
