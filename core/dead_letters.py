"""What staff do with a task that was given up: let it run again, or drop it. Both are written into the log."""

from collections.abc import Iterable

from django.db import transaction

from core import events
from core.models import DeadLetter, OutboxRow
from core.permissions import Caller


@transaction.atomic
def retry_dead_letters(*, ids: Iterable[int], actor: Caller) -> int:
    """Put the letters back into the outbox with all their attempts; return how many."""
    letters = list(DeadLetter.objects.select_for_update().filter(id__in=list(ids)).order_by("id"))
    OutboxRow.objects.bulk_create(
        OutboxRow(
            task=letter.task,
            queue=letter.queue,
            kwargs=letter.kwargs,
            request_id=letter.request_id,
            traceparent=letter.traceparent,
        )
        for letter in letters
    )
    _remove(letters, "dead_letter.retried", actor)
    return len(letters)


@transaction.atomic
def discard_dead_letters(*, ids: Iterable[int], actor: Caller) -> int:
    """Drop the letters for good; return how many."""
    letters = list(DeadLetter.objects.select_for_update().filter(id__in=list(ids)).order_by("id"))
    _remove(letters, "dead_letter.discarded", actor)
    return len(letters)


def _remove(letters: list[DeadLetter], type_: str, actor: Caller) -> None:
    for letter in letters:
        facts = {"task": letter.task, "kwargs": letter.kwargs, "reason": letter.reason}
        events.publish(type_, subject=letter, actor=actor, data=facts)
    DeadLetter.objects.filter(id__in=[letter.id for letter in letters]).delete()
