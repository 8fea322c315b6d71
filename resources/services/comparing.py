"""Two versions of a resource, side by side."""

import json
from dataclasses import dataclass
from typing import Any

from core.errors import NotFound
from core.permissions import Caller
from resources.changes import difference
from resources.keywords.reading import hidden_from, readable_state
from resources.models import Resource, ResourceHistory


@dataclass(frozen=True, slots=True)
class Difference:
    """One path that differs, and whether each side has it: there is a difference between nothing and null."""

    path: str
    before: Any
    after: Any
    was_there: bool
    is_there: bool

    @property
    def before_text(self) -> str:
        return _as_text(self.before)

    @property
    def after_text(self) -> str:
        return _as_text(self.after)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changes from one version to another."""

    before: int
    after: int
    differences: list[Difference]


def compare_versions(*, actor: Caller, resource: Resource, before: int, after: int) -> Comparison:
    """Return what changes from version `before` to version `after`, as the actor may read it.

    Raises `NotFound` where one is missing.
    """
    hidden = hidden_from(actor, resource)
    found = {
        version.number: version.snapshot
        for version in ResourceHistory.objects.filter(resource=resource, number__in=[before, after])
    }
    if not {before, after} <= found.keys():
        raise NotFound
    old, new = difference(*(readable_state(found[number], resource.pk, hidden) for number in (before, after)))
    differences = [
        Difference(path, old.get(path), new.get(path), path in old, path in new) for path in sorted({**old, **new})
    ]
    return Comparison(before, after, differences)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
