"""The `data` of a record for somebody: opened, and without what they may not read. Lists and details do it in SQL."""

from typing import Any

from core.permissions import Caller
from resources.access import Asker
from resources.keywords.field_rules import hidden_by, without
from resources.keywords.sealing import opened
from resources.models import Resource
from resources.schemas.keywords import Path


def hidden_from(caller: Caller, resource: Resource) -> tuple[Path, ...]:
    """Return the paths of the data of this record that `caller` may not read."""
    owns = caller.id is not None and caller.id == resource.owner_id
    return hidden_by(Asker.of(caller), resource.type.field_rules, owns=owns)


def readable_data(caller: Caller, resource: Resource) -> dict[str, Any]:
    """Return the data of a record that `caller` may read; its type is best selected with it."""
    return without(opened(resource.data, resource.id), hidden_from(caller, resource))


def readable_state(snapshot: dict[str, Any], resource_id: object, hidden: tuple[Path, ...]) -> dict[str, Any]:
    """Return the state that a version keeps, with its data opened and without the hidden paths."""
    return {**snapshot, "data": without(opened(snapshot["data"], resource_id), hidden)}
