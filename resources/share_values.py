"""What shares keep of their resources, so that many are looked at together.

That is the status, and the values of `data` that a type's plan names.

A resource that is shared lies anywhere in its table; the shares of one receiver are few pages. Each copy says by which
plan it was made (`resource_data_since`): one by another plan than the type's of now, or none, is not asked, and the
resource is read in its place. So a copy may be late, and an answer is right all the same.
"""

from collections.abc import Mapping
from typing import Any, Final

from django.db.models import Case, F, OuterRef, Subquery, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

from resources.data_values import value_of
from resources.models import Resource
from resources.schemas.keywords import Keywords
from resources.schemas.values import Property

Plan = Mapping[str, Any]
"""`{"since": 3, "paths": [["total"], …]}`, as a type keeps it and the triggers read it."""

COLUMN: Final = "resource_data"


def paths_to_keep(keywords: Keywords) -> list[list[str]]:
    """Return the paths that shares keep: those with an index, where everybody who may read the resource may read them.

    What is encrypted, or has a rule of reading, is copied nowhere.
    """
    closed = (*keywords.encrypted, *(rule.path for rule in keywords.read))
    return [list(path) for path in keywords.index if not any(path[: len(one)] == one for one in closed)]


def plan_of(keywords: Keywords, *, since: int) -> dict[str, Any] | None:
    """Return the plan of a schema that is the type's since this version; None for one that names nothing."""
    paths = paths_to_keep(keywords)
    return {"since": since, "paths": paths} if paths else None


def is_plan_of(keywords: Keywords, plan: Plan | None) -> bool:
    """Return whether the plan names what the schema says, since whichever version."""
    return paths_to_keep(keywords) == (plan["paths"] if plan else [])


def value_in_shares(described: Property, *, since: int) -> Combinable:
    """Return the value over shares: that of the copy, where it is by the plan since then, else of the resource."""
    copied = When(resource_data_since=since, then=value_of(described, column=COLUMN))
    return Case(copied, default=_of_resource(value_of(described)))


def data_in_shares(*, since: int) -> Combinable:
    """Return the data over shares: what the plan since then names of it, or the whole of the resource."""
    return Case(When(resource_data_since=since, then=F(COLUMN)), default=_of_resource(F("data")))


def status_in_shares() -> Combinable:
    """Return the status over shares."""
    return Coalesce(F("resource_status"), _of_resource(F("status")))


def _of_resource(expression: Combinable) -> Subquery:
    return Subquery(Resource.all_objects.filter(pk=OuterRef("resource_id")).order_by().values(found=expression))
