"""What shares keep of their records after the schema of a type has changed: a plan at once, the copies by a job.

From the change on nobody asks a copy by the plan before: each says by which it was made. So the job is about time, and
about values that are to stand nowhere any more; a cancelled one leaves answers as they are.
"""

import time
from typing import Final
from uuid import UUID

from django.db import connection

from core.jobs import Done, Work
from core.permissions import Caller
from resources.models import SHARES, ResourceType, Share
from resources.schemas.keywords import Keywords
from resources.services import followings
from resources.services.share_checks import out_of_step, take_anew
from resources.share_values import is_plan_of, plan_of

KIND: Final = followings.KINDS[SHARES]

_BATCH: Final = 500
"""So many at once: nobody writes their resources meanwhile, for a few hundredths of a second."""


def follow_schema(kind: ResourceType, *, actor: Caller) -> None:
    """Keep the plan of the type's present schema, and have its shares follow, in the caller's transaction."""
    keywords = Keywords.of(kind.schema)
    if is_plan_of(keywords, kind.share_plan):
        return
    kind.share_plan = plan_of(keywords, since=kind.schema_version)
    kind.save(update_fields=["share_plan"])
    followings.begin(kind, SHARES, actor=actor)


def follow_next(work: Work) -> Done | None:
    """Bring the next shares of the job's type in step, once everybody has ended who may write by the plan before."""
    key = work.parameters["type"]
    if work.total is None:
        work.total = Share.objects.filter(resource_type=key).count()
        version = ResourceType.objects.filter(key=key).values_list("schema_version", flat=True).first()
        work.checkpoint |= {"schema_version": version or 0, "writers": followings.writers()}
    if followings.is_any_left(work.checkpoint["writers"]):
        time.sleep(followings.PAUSE_SECONDS)
        return None
    ids = _next_ids(key, after=UUID(work.checkpoint.get("after", UUID(int=0).hex)))
    if not ids:
        followings.end(key, SHARES, schema_version=work.checkpoint["schema_version"])
        return Done()
    take_anew(out_of_step().filter(id__in=ids))
    work.checkpoint |= {"after": str(ids[-1]), "writers": []}
    work.done += len(ids)
    return None


def _next_ids(key: str, *, after: UUID) -> list[UUID]:
    with connection.cursor() as cursor:
        # Of a type with few shares among many the next ones may lie far away.
        cursor.execute("SET LOCAL statement_timeout = 0")
    shares = Share.objects.filter(resource_type=key, id__gt=after).order_by("id")
    return list(shares.values_list("id", flat=True)[:_BATCH])
