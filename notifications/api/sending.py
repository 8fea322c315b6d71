"""`POST /notifications/send`: news to some, to a role, to everybody; a job."""

from typing import Any, Final

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from core.api.jobs import JOB_EXAMPLE, JobShape, accepted_job
from core.api.operations import operation
from core.api.serializers import StrictSerializer, parse
from core.api.views import ApiView
from core.errors import Conflict
from notifications.services.fanout import JOB_KIND, MOST_NAMED, Recipients, send_to_many


class RecipientsInput(StrictSerializer):
    """One of the three."""

    users = serializers.ListField(
        child=serializers.UUIDField(),
        min_length=1,
        max_length=MOST_NAMED,
        required=False,
        allow_null=True,
        help_text="Their ids.",
    )
    role = serializers.CharField(max_length=50, required=False, allow_null=True, help_text="Everybody with this role.")
    all = serializers.BooleanField(required=False, allow_null=True, help_text="`true`: everybody.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        given = {name: value for name, value in attrs.items() if value}
        if len(given) != 1:
            raise serializers.ValidationError("Give one of users, role and all.", code="required")
        return given


class SendInput(StrictSerializer):
    kind = serializers.CharField(max_length=100)
    to = RecipientsInput()
    data = serializers.DictField(  # type: ignore[assignment]  # the metaclass takes it; the property stays
        child=serializers.CharField(max_length=10_000, allow_blank=True), help_text="What the kind tells."
    )


_EXAMPLE: Final = {
    "kind": "system.broadcast",
    "to": {"all": True},
    "data": {"title": "Maintenance on Sunday", "text": "From 02:00 to 03:00 UTC nothing can be changed."},
}


class SendNotification(ApiView):
    access = {"POST": "send:notification"}
    token_scopes = {"POST": "send:notification"}
    rate_limit = "bulk"

    @operation(
        "Tell many people something",
        description=(
            "`system.broadcast` takes `title`, `text` and perhaps `link`. Each is told on the channels that they want. "
            "Who is disabled or deleted is told nothing; an id of nobody is left out. The job's `total` is how many "
            "people are meant; its `done` how far it is."
        ),
        request=SendInput,
        response=JobShape,
        status=202,
        request_example=_EXAMPLE,
        response_example={**JOB_EXAMPLE, "kind": JOB_KIND},
        errors=(Conflict,),
    )
    def post(self, request: Request) -> HttpResponse:
        body = parse(SendInput, request)
        to = Recipients(tuple(body["to"].get("users", ())), body["to"].get("role", ""), body["to"].get("all", False))
        job = send_to_many(actor=self.caller, kind=body["kind"], context=body["data"], to=to)
        return accepted_job(job, self.caller)
