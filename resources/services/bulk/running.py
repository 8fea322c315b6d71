"""The run of a bulk: batch after batch, by sets where nothing forbids it."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from django.db import DatabaseError, DataError, IntegrityError, connection, transaction
from django.db.models import Q
from django.db.models.expressions import RawSQL

from core.errors import ApplicationError
from core.permissions import Caller
from core.transactions import atomic, is_lost_race
from resources.models import Resource, ResourceQuerySet
from resources.services.bulk.alone import attempt
from resources.services.bulk.changes import planned
from resources.services.bulk.order import Batch, in_batches, touched_by
from resources.services.bulk.steps import Known, Outcome, Outcomes, Step, placed
from resources.services.bulk.turns import refuse_late
from resources.services.bulk.writing import write
from resources.services.references import company_of

_HOLD: Final = "SELECT nook_hold_resources(%s::uuid[], %s::uuid[])"


@atomic
def apply_together(*, actor: Caller, steps: Sequence[Step], known: Known) -> list[Outcome]:
    """Do every step in one transaction; the first refusal undoes all and is raised with its place before its paths."""

    def but_lost_races(error: BaseException) -> ApplicationError | None:
        return None if is_lost_race(error) else known(error)

    _lock_in_order(actor, steps)
    outcomes = _done(actor, dict(enumerate(steps)), but_lost_races)
    for place in range(len(steps)):
        error = outcomes[place].error
        if error is not None:
            raise placed(error, place)
    return [outcomes[place] for place in range(len(steps))]


def apply_each(*, actor: Caller, steps: Sequence[Step | ApplicationError], known: Known) -> list[Outcome]:
    """Do each step for itself; what is no step is its outcome."""
    sound = {place: step for place, step in enumerate(steps) if isinstance(step, Step)}
    outcomes = _done(actor, sound, known)
    return [
        Outcome(error=step) if isinstance(step, ApplicationError) else outcomes[place]
        for place, step in enumerate(steps)
    ]


def _done(actor: Caller, steps: Mapping[int, Step], known: Known) -> Outcomes:
    if len(steps) == 1:
        return {place: attempt(actor=actor, step=step, known=known) for place, step in steps.items()}
    outcomes: Outcomes = {}
    for batch in in_batches(steps):
        outcomes |= _batch_done(actor, batch, known)
    return outcomes


def _batch_done(actor: Caller, batch: Batch, known: Known) -> Outcomes:
    if len(batch.steps) == 1:
        return _alone(actor, batch, batch.steps, known)
    try:
        outcomes, alone = _by_sets(actor, batch)
    except (IntegrityError, DataError):
        # Somebody was faster with a value, or one of them cannot be stored: each alone tells which.
        return _alone(actor, batch, batch.steps, known)
    except DatabaseError as error:
        if is_lost_race(error) and not connection.in_atomic_block:
            # Whoever had part of what the batch holds has gone on; each alone holds too little to be in their way.
            return _alone(actor, batch, batch.steps, known)
        told = known(error)
        if told is None:
            raise
        return {place: Outcome(error=told) for place in batch.steps}
    return outcomes | _alone(actor, batch, alone, known)


@transaction.atomic
def _by_sets(actor: Caller, batch: Batch) -> tuple[Outcomes, list[int]]:
    """Return what became of the steps of the batch, and which of them are to be done alone."""
    plan = planned(batch.op, actor=actor, steps=batch.steps)
    refuse_late(batch.op, plan, actor=actor)
    write(batch.op, plan.changes, actor=actor)
    return plan.outcomes | {change.place: Outcome(change.resource) for change in plan.changes}, plan.alone


def _alone(actor: Caller, batch: Batch, places: Sequence[int] | Mapping[int, Step], known: Known) -> Outcomes:
    return {place: attempt(actor=actor, step=batch.steps[place], known=known) for place in places}


def _lock_in_order(actor: Caller, steps: Sequence[Step]) -> None:
    """Lock what the steps are about, and what their data refers to, by id: so two requests never wait in a circle.

    What the actor may not read is left alone: nobody holds up a resource by naming it.
    """
    touched = touched_by(steps)
    if not touched.ids and not touched.named:
        return
    seen = _among(Resource.objects.visible_to(actor), touched.ids | touched.named)
    if any(step.op == "restore" for step in steps):
        seen |= _among(Resource.all_objects.in_bin_of(actor), touched.ids)
    written = {*touched.ids & seen, *company_of(touched.in_company & seen)}
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, [list(written), list(touched.named & seen)])


def _among(rows: ResourceQuerySet, ids: set[UUID]) -> set[UUID]:
    # One array: thousands of parameters would cost more than what they ask for.
    wanted = Q(id__in=RawSQL("SELECT unnest(%s::uuid[])", [list(ids)]))  # values are parameters
    return set(rows.filter(wanted).order_by().values_list("id", flat=True))
