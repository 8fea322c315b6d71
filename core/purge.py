"""Removes for good what has been kept long enough: the bin, and the traces of work that is done."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.apps import apps
from django.conf import settings
from django.db import models, transaction
from django.db.models import ProtectedError, RestrictedError
from django.db.models.functions import Now

from core.models import EventDelivery, IdempotencyKey, Job, ScheduleRun, SoftDeleteModel, SoftDeleteQuerySet

BATCH: Final = 1000


@dataclass(frozen=True, slots=True)
class Expired:
    """The rows of one table that may go."""

    table: str
    rows: models.QuerySet[models.Model]


BeforeRemoval = Callable[[Sequence[object]], None]

_BEFORE_REMOVAL: Final[dict[type[models.Model], BeforeRemoval]] = {}


def before_removal(model: type[models.Model]) -> Callable[[BeforeRemoval], BeforeRemoval]:
    """Register what has to be done before rows of `model` are removed, in the same transaction; gets their keys."""

    def register(function: BeforeRemoval) -> BeforeRemoval:
        _BEFORE_REMOVAL[model] = function
        return function

    return register


def expired() -> Iterator[Expired]:
    """Yield each table's rows that are past their time; bins with children before parents."""
    for model in reversed(list(apps.get_models())):
        if issubclass(model, SoftDeleteModel) and model.leaves_the_bin_by_purge:
            yield Expired(model._meta.db_table, _past_the_bin(model))
    yield Expired("idempotency_keys", IdempotencyKey.objects.filter(expires_at__lt=Now()))
    trace_end = Now() - timedelta(days=settings.TRACE_RETENTION_DAYS)
    yield Expired("event_deliveries", EventDelivery.objects.filter(handled_at__lt=trace_end))
    # Those whose files are gone: a row removed before them would leave them behind.
    yield Expired("jobs", Job.objects.filter(finished_at__lt=trace_end, files_until=None))
    yield Expired("schedule_runs", ScheduleRun.objects.filter(due_at__lt=trace_end))


def purge() -> dict[str, int]:
    """Remove what is expired, in batches of their own transactions; return how many rows of each table."""
    return {group.table: remove(group.rows) for group in expired()}


def remove(rows: models.QuerySet[models.Model], *, progress: Callable[[int], object] = lambda looked_at: None) -> int:
    """Remove the rows by batches; one by one where another row may still point at one and keep it.

    Return how many are gone; `progress` is called with how many more have been looked at.
    """
    one_by_one = issubclass(rows.model, SoftDeleteModel)
    removed = 0
    batch = rows.order_by("pk")
    while keys := list(batch.values_list("pk", flat=True)[:BATCH]):
        for wanted in ([key] for key in keys) if one_by_one else [keys]:
            removed += _remove(rows.filter(pk__in=wanted))
            progress(len(wanted))
        batch = rows.order_by("pk").filter(pk__gt=keys[-1])
    return removed


def _past_the_bin(model: type[SoftDeleteModel]) -> models.QuerySet[models.Model]:
    dead: SoftDeleteQuerySet[models.Model] = model.all_objects.all()
    return dead.past_the_bin()


@transaction.atomic
def _remove(rows: models.QuerySet[models.Model]) -> int:
    """Delete the rows and what hangs on them; nothing when something that is still in use points at them."""
    prepare = _BEFORE_REMOVAL.get(rows.model)
    if prepare is None:
        count = rows.count()
    else:
        # Locked first: whoever is about to refer to one of them, or brings it back, waits or has been waited for.
        locked = list(rows.select_for_update(of=("self",)).values_list("pk", flat=True))
        count = len(locked)
        prepare(locked)
    try:
        rows.delete()
    except (ProtectedError, RestrictedError):
        return 0
    return count
