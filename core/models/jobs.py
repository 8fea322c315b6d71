"""Jobs: work too long for one request, done in steps by the workers, followed by its owner."""

from typing import ClassVar, Final, Self
from uuid import UUID

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q

from core.models.base import BaseModel
from core.models.decoding import StoredJSON
from core.permissions import ADMIN, Caller

QUEUED: Final = "queued"
RUNNING: Final = "running"
SUCCEEDED: Final = "succeeded"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"
JOB_STATES: Final = (QUEUED, RUNNING, SUCCEEDED, FAILED, CANCELLED)
UNFINISHED: Final = (QUEUED, RUNNING)


class JobQuerySet(models.QuerySet["Job"]):
    """Reads by state and by who may see."""

    def unfinished(self) -> Self:
        """Return the jobs that wait or run."""
        return self.filter(state__in=UNFINISHED)

    def started_by(self, caller: Caller) -> Self:
        """Return the caller's own jobs; to a personal access token, those that it started itself."""
        own = self.filter(owner_id=caller.own_id)
        return own if caller.token_id is None else own.filter(token_id=caller.token_id)

    def visible_to(self, caller: Caller) -> Self:
        """Return the caller's own jobs, and everybody's to who is signed in and holds `admin`."""
        return self if caller.token_id is None and caller.holds(ADMIN) else self.started_by(caller)


class Job(BaseModel):
    """One piece of work: what it is, how far it is, what came of it.

    `checkpoint` is all that the next step needs to know; it is written in the transaction of the step's
    effects. `turn` numbers the tasks that carry the job on, one after the other: only the task of the
    present turn may run it. `version` rises with every change, and a step that was overtaken (by a cancel,
    by another worker) finds it changed and takes its effects back.
    """

    kind = models.CharField(max_length=100)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="+", db_index=False
    )
    token_id = models.UUIDField(null=True, blank=True, editable=False)
    """The personal access token that started it: the one that may follow it, and whose scopes it is bound by."""

    state = models.CharField(max_length=20, default=QUEUED, db_default=QUEUED)
    parameters = models.JSONField(default=dict, db_default={}, encoder=DjangoJSONEncoder, decoder=StoredJSON)
    checkpoint = models.JSONField(default=dict, db_default={}, encoder=DjangoJSONEncoder, decoder=StoredJSON)
    total = models.PositiveBigIntegerField(null=True, blank=True)
    done = models.PositiveBigIntegerField(default=0, db_default=0)
    failed = models.PositiveBigIntegerField(default=0, db_default=0)
    result = models.CharField(max_length=255, blank=True, default="", db_default="")
    result_name = models.CharField(max_length=255, blank=True, default="", db_default="")
    result_type = models.CharField(max_length=100, blank=True, default="", db_default="")
    files_until = models.DateTimeField(null=True, blank=True)
    error_code = models.CharField(max_length=50, blank=True, default="", db_default="")
    error = models.CharField(max_length=500, blank=True, default="", db_default="")
    single_key = models.CharField(max_length=100, null=True, blank=True)
    admitted = models.BooleanField(default=False, db_default=False)
    turn = models.PositiveIntegerField(default=0, db_default=0)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    request_id = models.CharField(max_length=128, blank=True, default="", db_default="")
    version = models.PositiveIntegerField(default=1, db_default=1, editable=False)

    objects: ClassVar[models.Manager[Self]] = JobQuerySet.as_manager()

    class Meta:
        db_table = "jobs"
        constraints = [
            models.CheckConstraint(condition=Q(state__in=JOB_STATES), name="ck_jobs_state"),
            models.UniqueConstraint(
                fields=["kind", "single_key"], condition=Q(state__in=UNFINISHED), name="uq_jobs_single"
            ),
        ]
        indexes = [
            models.Index(fields=["owner", "-created_at", "-id"], name="idx_jobs_owner_id"),
            models.Index(fields=["state", "-created_at"], name="idx_jobs_state"),
            models.Index(fields=["files_until"], name="idx_jobs_files", condition=Q(files_until__isnull=False)),
            models.Index(fields=["finished_at"], name="idx_jobs_finished"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    @property
    def is_finished(self) -> bool:
        return self.state not in UNFINISHED

    @property
    def audience(self) -> list[UUID]:
        """Return whom the job's events are for."""
        return [self.owner_id] if self.owner_id else []
