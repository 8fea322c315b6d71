"""`/profile/export`: everything that the system holds about oneself."""

from django.http import HttpResponse
from rest_framework.request import Request

from accounts.services import data_export
from core.api.access import SIGNED_IN
from core.api.jobs import JOB_EXAMPLE, JobShape, accepted_job
from core.api.operations import operation
from core.api.views import ApiView
from core.errors import ReauthenticationRequired

_QUEUED = {**JOB_EXAMPLE, "state": "queued", "total": None, "done": 0, "started_at": None}


class ProfileExport(ApiView):
    access = {"POST": SIGNED_IN}
    rate_limit = "bulk"
    keeps_secrets = True

    @operation(
        "Export one's data",
        description=(
            "Promises a ZIP of everything that the system holds about the caller, as JSON and files; needs a sign-in "
            "of the last ten minutes. Follow the job; a link that serves for 7 days is mailed too. While one is under "
            "way, asking again returns it; three may be made in 24 hours."
        ),
        response=JobShape,
        status=202,
        response_example=_QUEUED,
        errors=(ReauthenticationRequired,),
    )
    def post(self, request: Request) -> HttpResponse:
        return accepted_job(data_export.request_export(actor=self.caller), self.caller)
