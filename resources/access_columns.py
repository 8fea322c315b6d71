"""What an access review says of each user's resources and shares."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Count, QuerySet

from accounts.access_registry import Cells, access_columns
from resources.models import Resource, Share


@access_columns("resources_owned", "shares_held", "shares_given")
def resources_and_shares(user_ids: Sequence[UUID]) -> Mapping[UUID, Cells]:
    """Count what each user owns, what is shared with them by name, and what they have shared; live shares only."""
    owned = _counts(Resource.objects.filter(owner__in=user_ids).values_list("owner"))
    held = _counts(Share.objects.live().filter(user__in=user_ids).values_list("user"))
    given = _counts(Share.objects.live().filter(given_by__in=user_ids).values_list("given_by"))
    return {user_id: (owned.get(user_id, 0), held.get(user_id, 0), given.get(user_id, 0)) for user_id in user_ids}


def _counts(rows: QuerySet[Any, tuple[Any, ...]]) -> dict[UUID, int]:
    return dict(rows.order_by().annotate(number=Count("pk")))
