"""What is left of sharing when its time is over: shares that expired, and links that opened for the last time.

They give nothing any more; for a month they stay, so that managers see what there was. Shares that are dead because
their giver lost access stay for good: they live again when the giver gets it back.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from core.permissions import SYSTEM
from resources.models import Resource, Share, ShareQuerySet
from resources.services.sharing import remove

KEPT: Final = timedelta(days=30)
"""How long after its end a share is there to be looked at."""

_BATCH: Final = 500


def remove_ended() -> int:
    """Remove the shares whose end is a month ago, each in a transaction of its own, as an event; return how many."""
    used_up = Q(link_max_uses__isnull=False, link_uses__gte=F("link_max_uses"), updated_at__lt=Now() - KEPT)
    ended = Share.objects.filter(Q(expires_at__lt=Now() - KEPT) | used_up).order_by("id")
    removed, last = 0, None
    while ids := list((ended.filter(id__gt=last) if last else ended).values_list("id", "resource_id")[:_BATCH]):
        removed += sum(_remove(ended, share_id, resource_id) for share_id, resource_id in ids)
        last = ids[-1][0]
    return removed


@transaction.atomic
def _remove(ended: ShareQuerySet, share_id: UUID, resource_id: UUID) -> int:
    """Remove one under the lock that every change of a resource's shares takes, unless somebody has prolonged it."""
    Resource.all_objects.select_for_update(of=("self",), no_key=True).filter(id=resource_id).order_by().first()
    share = ended.select_related("resource", "role").filter(id=share_id).first()
    if share is None:
        return 0
    remove(share, actor=SYSTEM)
    return 1
