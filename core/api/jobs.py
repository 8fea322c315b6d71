"""`/jobs`: work that takes longer than a request, as its owner follows it."""

from typing import Any, Final
from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from core import jobs
from core.api.access import ANY_TOKEN, SIGNED_IN
from core.api.concurrency import etag, linked_tags, not_modified, tag_of
from core.api.envelope import success
from core.api.operations import operation
from core.api.pagination import paginate
from core.api.query import CreatedQuery, parse_query, trimmed
from core.api.serializers import StrictSerializer
from core.api.views import ApiView
from core.errors import Conflict, NotFound
from core.models import Job
from core.models.jobs import JOB_STATES
from core.permissions import Caller


class JobErrorShape(StrictSerializer):
    code = serializers.CharField()
    message = serializers.CharField()


class JobShape(StrictSerializer):
    id = serializers.UUIDField()
    kind = serializers.CharField()
    state = serializers.ChoiceField(choices=JOB_STATES)
    total = serializers.IntegerField(allow_null=True)
    done = serializers.IntegerField()
    failed = serializers.IntegerField()
    result_url = serializers.URLField(allow_null=True)
    result_expires_at = serializers.DateTimeField(allow_null=True)
    error = JobErrorShape(allow_null=True)
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


JOB_EXAMPLE: Final = {
    "id": "01939a30-1b7c-7d21-8f0e-5a3c9e7b6d42",
    "kind": "profile.export",
    "state": "running",
    "total": 12,
    "done": 7,
    "failed": 0,
    "result_url": None,
    "result_expires_at": None,
    "error": None,
    "created_at": "2026-11-21T09:30:00.000000Z",
    "started_at": "2026-11-21T09:30:00.200000Z",
    "finished_at": None,
}
FINISHED_EXAMPLE: Final = {
    **JOB_EXAMPLE,
    "state": "succeeded",
    "done": 12,
    "result_url": "https://nook.example/files/WyJqb2JzLzAxOTM5YTMw",
    "result_expires_at": "2026-11-28T09:30:04.000000Z",
    "finished_at": "2026-11-21T09:30:04.000000Z",
}


def job_shape(job: Job, caller: Caller) -> dict[str, Any]:
    """Return the job as the API shows it to `caller`; the link to the result is made anew each time."""
    return {
        "id": job.pk,
        "kind": job.kind,
        "state": job.state,
        "total": job.total,
        "done": job.done,
        "failed": job.failed,
        "result_url": jobs.result_url(job) if jobs.may_fetch(caller, job) else None,
        "result_expires_at": jobs.expiry_of(job),
        "error": {"code": job.error_code, "message": job.error} if job.error_code else None,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
    }


def accepted_job(job: Job, caller: Caller) -> HttpResponse:
    """Return 202 with the job that was promised, and where to follow it."""
    return success(job_shape(job, caller), status=202, headers={"Location": f"/api/v1/jobs/{job.pk}"})


class JobQuery(CreatedQuery):
    """Which of one's jobs."""

    kind = serializers.CharField(required=False, max_length=100)
    state = serializers.ChoiceField(required=False, choices=JOB_STATES)


JobListQuery: Final = trimmed(JobQuery, JobShape)


class Jobs(ApiView):
    access = {"GET": SIGNED_IN}
    token_scopes = {"GET": ANY_TOKEN}
    keeps_secrets = True

    @operation(
        "List one's jobs",
        description=(
            "Newest first. `result_url` serves for five minutes; each answer holds a fresh one. A personal access "
            "token finds the jobs that it started itself."
        ),
        query=JobListQuery,
        response=JobShape,
        many=True,
        paginated=True,
        response_example=[FINISHED_EXAMPLE],
    )
    def get(self, request: Request) -> HttpResponse:
        query = parse_query(JobListQuery, request)
        wanted = {name: query[name] for name in ("kind", "state") if name in query}
        return paginate(
            Job.objects.started_by(self.caller).filter(**wanted),
            request,
            query,
            shape=lambda job: job_shape(job, self.caller),
            sorts={"created_at": "created_at"},
            default_sort="-created_at",
        )


class OneJob(ApiView):
    access = {"GET": SIGNED_IN}
    token_scopes = {"GET": ANY_TOKEN}
    keeps_secrets = True

    @operation(
        "Show a job",
        description=(
            "How far it is, and what came of it: ask again every second or two, or follow `job.*` events. Of `total` "
            "pieces (`null` while unknown) `done` are done, of which `failed` failed. `result_url` is a link to the "
            "result that serves for five minutes, made anew with each answer, until `result_expires_at`."
        ),
        response=JobShape,
        response_example=FINISHED_EXAMPLE,
        etag=True,
        errors=(NotFound,),
    )
    def get(self, request: Request, job_id: UUID) -> HttpResponse:
        job = Job.objects.visible_to(self.caller).filter(pk=job_id).first()
        if job is None:
            raise NotFound
        tags = _tags(job, self.caller)
        return not_modified(request, *tags) or success(job_shape(job, self.caller), headers={"ETag": etag(tags[0])})


class JobCancellation(ApiView):
    access = {"POST": SIGNED_IN}
    token_scopes = {"POST": ANY_TOKEN}
    keeps_secrets = True

    @operation(
        "Cancel a job",
        description=(
            "It ends at once, and what its step at hand has done is taken back; what earlier steps did stays. "
            "Cancelled before, it stays so; one that has succeeded or failed is a conflict."
        ),
        response=JobShape,
        response_example={**JOB_EXAMPLE, "state": "cancelled", "finished_at": "2026-11-21T09:30:02.000000Z"},
        errors=(NotFound, Conflict),
    )
    def post(self, request: Request, job_id: UUID) -> HttpResponse:
        return success(job_shape(jobs.cancel_job(actor=self.caller, job_id=job_id), self.caller))


def _tags(job: Job, caller: Caller) -> tuple[str, ...]:
    """Return what the ETag says, and says still: the version that the caller sees, which shows a link or none."""
    shown = (job.version, jobs.expiry_of(job))
    return linked_tags(*shown) if jobs.may_fetch(caller, job) else (tag_of(*shown),)
