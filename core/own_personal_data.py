"""What the ground itself holds about a person: their traces in the log, in kept answers and in promised work."""

from collections.abc import Iterator
from functools import reduce
from operator import or_
from uuid import UUID

from django.db.models import Model, Q, QuerySet, TextField
from django.db.models.functions import Cast

from core import jobs
from core.models import DeadLetter, Event, IdempotencyKey, Job, OutboxRow
from core.personal_data import Erasure, PersonalFile, erases_personal_data, exports_personal_data, rows_of

_JOB = ("id", "kind", "state", "parameters", "total", "done", "failed", "error", "created_at", "finished_at")
_FACTS = ("type", "subject_type", "subject_id", "request_id", "occurred_at")


@exports_personal_data("core", tables=("events", "idempotency_keys", "jobs"))
def export(user_id: UUID) -> Iterator[PersonalFile]:
    """Yield what the person did, from where, and what happened to their account."""
    done = Event.objects.filter(actor=user_id)
    yield PersonalFile(
        "activity/done-by-you.json", rows_of(done, *_FACTS, "ip", "user_agent"), about="What you did, and from where."
    )
    told = Event.objects.filter(subject_type="user", subject_id=str(user_id))
    yield PersonalFile(
        "activity/about-you.json", rows_of(told, *_FACTS, "actor", "payload"), about="What happened to your account."
    )
    keys = IdempotencyKey.objects.filter(owner=_key_owner(user_id))
    yield PersonalFile(
        "activity/idempotency-keys.json",
        rows_of(keys, "key", "created_at", "expires_at"),
        about="Keys of requests that you may safely repeat.",
    )
    yield PersonalFile(
        "activity/jobs.json",
        rows_of(Job.objects.filter(owner_id=user_id), *_JOB),
        about="Longer work that was done for you.",
    )


@erases_personal_data("core", tables=("idempotency_keys", "jobs", "outbox", "dead_letters"))
def erase(erasure: Erasure) -> None:
    """Delete kept answers to the person, their jobs with all files, and promised or failed work that names them."""
    own_jobs = Job.objects.filter(owner_id=erasure.user_id)
    for job_id in own_jobs.values_list("pk", flat=True):
        for name in jobs.files_of(job_id):
            erasure.forget_file(name)
    erasure.delete(own_jobs)
    own, in_their_place = Q(owner=_key_owner(erasure.user_id)), Q(owner__startswith=f"{_key_owner(erasure.user_id)}/")
    erasure.delete(IdempotencyKey.objects.filter(own | in_their_place))
    erasure.delete(_naming(OutboxRow.objects.all(), erasure, "kwargs", "last_error"))
    erasure.delete(_naming(DeadLetter.objects.all(), erasure, "kwargs", "reason", "traceback"))


def _key_owner(user_id: UUID) -> str:
    return f"user:{user_id}"


def _naming(rows: QuerySet[Model], erasure: Erasure, *columns: str) -> QuerySet[Model]:
    """Return the rows in whose text columns the person's id or one of their addresses stands."""
    texts = {f"{column}_text": Cast(column, TextField()) for column in columns}
    wanted = [str(erasure.user_id), *sorted(erasure.addresses)]
    mentioned = reduce(or_, (Q(**{f"{text}__icontains": name}) for text in texts for name in wanted))
    found: QuerySet[Model] = rows.alias(**texts).filter(mentioned)
    return found
