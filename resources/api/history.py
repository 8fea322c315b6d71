"""Versions as they are read: who may, and what one looks like."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from core.errors import NotFound
from core.permissions import Caller
from resources.access import Asker
from resources.appearance import is_unchanged
from resources.changes import difference
from resources.keywords.field_rules import hidden_by, is_hidden
from resources.keywords.reading import readable_state
from resources.models import Resource, ResourceHistory
from resources.schemas.keywords import Path


@dataclass(frozen=True, slots=True)
class History:
    """The versions of a resource as one caller may read them: without what the present field rules hide from them."""

    resource_id: UUID
    hidden: tuple[Path, ...]
    type_key: str
    has_rules: bool

    @property
    def versions(self) -> QuerySet[ResourceHistory]:
        """Return the rows."""
        return ResourceHistory.objects.filter(resource_id=self.resource_id).select_related("actor")

    def is_known(self, version: ResourceHistory) -> bool:
        """Return whether every answer with this version looked as one does now; never where the type hides anything."""
        return not self.has_rules and is_unchanged(version.created_at, self.type_key, version.actor_id)

    def version(self, number: int) -> ResourceHistory:
        """Return one version; `NotFound` where there is none to see."""
        version = self.versions.filter(number=min(number, 2**31 - 1)).first()
        if version is None:
            raise NotFound
        return version

    def shape(self, version: ResourceHistory) -> dict[str, Any]:
        """Return the version as the list shows it."""
        actor = version.actor
        return {
            "number": version.number,
            "action": version.action,
            "actor": None if actor is None else {"id": actor.id, "name": actor.name},
            "changed": [path for path in version.changed if not is_hidden(path, self.hidden)],
            "created_at": version.created_at,
        }

    def whole_shape(self, version: ResourceHistory) -> dict[str, Any]:
        """Return the version with the whole state after it."""
        return {**self.shape(version), "snapshot": self._shown(version.snapshot)}

    def diff_shape(self, a: int, b: int) -> dict[str, Any]:
        """Return what has to change to get from version `a` to `b`; `NotFound` where one of them is not seen."""
        wanted = self.versions.filter(number__in=[min(number, 2**31 - 1) for number in (a, b)])
        snapshots = {number: self._shown(state) for number, state in wanted.values_list("number", "snapshot")}
        if not {a, b} <= snapshots.keys():
            raise NotFound
        before, after = difference(snapshots[a], snapshots[b])
        sides = (("before", before), ("after", after))
        changes = [
            {"path": path, **{name: side[path] for name, side in sides if path in side}}
            for path in sorted({**before, **after})
        ]
        return {"from": a, "to": b, "changes": changes}

    def _shown(self, snapshot: dict[str, Any]) -> dict[str, Any]:
        return readable_state(snapshot, self.resource_id, self.hidden)


def history_of(caller: Caller, resource_id: UUID) -> History:
    """Return the history of a resource that the caller may read; `NotFound` for any other."""
    found = Resource.objects.visible_to(caller).filter(id=resource_id).order_by()
    row = found.values_list("owner_id", "type_id", "type__field_rules").first()
    if row is None:
        raise NotFound
    owner_id, type_key, rules = row
    hidden = hidden_by(Asker.of(caller), rules, owns=owner_id == caller.id)
    return History(resource_id, hidden, type_key, bool(rules))
