"""The newest of what one may read, as parts without overlap that are each walked along an index of their own.

One's own rows, what is open to all, what a role reaches, what is shared: a list in the order of `created_at` needs no
more of each part than a page holds, and its total counts stretches of indexes. So one plan is best for whoever asks,
and the statements have `Unseen` slots for it: PostgreSQL plans them once instead of for each caller.
"""

from collections.abc import Sequence
from typing import Any, Final

from django.db.models import Q, QuerySet
from django.db.models.expressions import Combinable

from core.api.pagination import SortKey
from core.plans import Fragment, Slot, Unseen
from resources.access import Asker
from resources.models import Resource, Share

Rows = QuerySet[Any, Any]
"""Of resources, or of shares that lead to them."""

IN_SHARES: Final = {
    "pk": "resource_id",
    "created_at": "resource_created_at",
    "owner_id": "resource_owner_id",
    "visibility": "resource_visibility",
    "type_id": "resource_type",
}
"""What a share calls the columns of its resource."""


def unseen(asker: Asker) -> Asker:
    """Return the same asker, with slots that the planner does not look into."""
    if not (isinstance(asker.user, Slot) and isinstance(asker.role, Slot)):
        return asker
    return asker.named(
        user=Unseen(asker.user.name, asker.user.output_field), role=Unseen(asker.role.name, asker.role.output_field)
    )


def newest_in_parts(asker: Asker) -> list[Rows]:
    """Return what `asker` may read in parts without overlap, of resources or of the shares that lead to them.

    Each is led to by an index in the order of `created_at`. Ask only for somebody who is signed in and does not see
    everything.
    """
    return _in_parts(asker, Q(owner_id=asker.user))


def whole_in_parts(asker: Asker) -> list[Rows]:
    """Return the same parts, for whoever reads all of each, in no order.

    One's own rows are asked for as a range: of somebody whom it does not see the planner thinks that they own what all
    do on average, and where there are few owners it would read the whole table. A range it takes for few rows.
    """
    return _in_parts(asker, Q(owner_id__gte=asker.user, owner_id__lte=asker.user))


def _in_parts(asker: Asker, is_own: Q) -> list[Rows]:
    reasons: list[tuple[str, Any]] = [("visibility", one) for one in asker.open_visibilities]
    reasons += [("type_id", one) for one in sorted({*asker.reads.types, *asker.writes.types})]
    parts: list[Rows] = [Resource.objects.filter(is_own)]
    earlier, earlier_in_shares = Q(owner_id=asker.user), Q(**{IN_SHARES["owner_id"]: asker.user})
    for column, value in reasons:
        parts.append(Resource.objects.filter(**{column: value}).exclude(earlier))
        earlier |= Q(**{column: value})
        earlier_in_shares |= Q(**{IN_SHARES[column]: value})
    return [*parts, *(part.exclude(earlier_in_shares) for part in Share.objects.all().reaching(asker))]


def order_in(rows: Rows, order: Sequence[SortKey]) -> tuple[SortKey, ...]:
    """Return the order by the names that the columns have in these rows."""
    if rows.model is Resource:
        return tuple(order)
    return tuple(SortKey(IN_SHARES[key.path], key.descending) for key in order)


def of_type(rows: Rows, type_key: str) -> Rows:
    """Return the rows of the type."""
    return rows.filter(Q(**{"type_id" if rows.model is Resource else IN_SHARES["type_id"]: type_key}))


def ids_of(rows: Rows, *expressions: Combinable) -> Fragment:
    """Return the ids of the resources, and the expressions."""
    return Fragment.of(rows.values_list("id" if rows.model is Resource else IN_SHARES["pk"], *expressions))
