"""`/webhooks`: where a person's events are sent to."""

from functools import partial
from typing import Any, Final
from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from core.api.access import SIGNED_IN
from core.api.concurrency import etag, not_modified, require_match
from core.api.envelope import created, no_content, success
from core.api.operations import operation
from core.api.pagination import paginate
from core.api.query import CreatedQuery, parse_query, trimmed
from core.api.serializers import parse
from core.api.views import ApiView
from core.errors import ActingOnBehalf, Conflict, NotFound, PreconditionFailed
from notifications.api.webhook_shapes import (
    DELIVERY_EXAMPLE,
    SECRET_EXAMPLE,
    WEBHOOK_EXAMPLE,
    SecretWebhookShape,
    WebhookDeliveryShape,
    WebhookInput,
    WebhookShape,
    delivery_shape,
    webhook_shape,
)
from notifications.models import WebhookDelivery, WebhookEndpoint
from notifications.models.webhooks import DELIVERY_STATES
from notifications.services import webhooks

_WRITE_EXAMPLE: Final = {name: WEBHOOK_EXAMPLE[name] for name in ("url", "events", "active")}
_SORTS: Final = {"created_at": "created_at"}


class DeliveryQuery(CreatedQuery):
    """Which deliveries."""

    state = serializers.ChoiceField(required=False, choices=DELIVERY_STATES)
    type = serializers.CharField(required=False, max_length=100)


WebhookListQuery: Final = trimmed(CreatedQuery, WebhookShape)


class Webhooks(ApiView):
    access = {"GET": SIGNED_IN, "POST": SIGNED_IN}
    keeps_secrets = frozenset({"POST"})

    @operation(
        "List one's webhooks",
        description="Newest first; the secrets are shown nowhere.",
        query=WebhookListQuery,
        response=WebhookShape,
        many=True,
        paginated=True,
        response_example=[WEBHOOK_EXAMPLE],
    )
    def get(self, request: Request) -> HttpResponse:
        query = parse_query(WebhookListQuery, request)
        own = WebhookEndpoint.objects.visible_to(self.caller)
        return paginate(own, request, query, shape=webhook_shape, sorts=_SORTS, default_sort="-created_at")

    @operation(
        "Make a webhook",
        description=(
            "From now on each event of these types that one may read is sent there, signed by Standard Webhooks. "
            "The secret is shown this once."
        ),
        request=WebhookInput,
        response=SecretWebhookShape,
        status=201,
        request_example=_WRITE_EXAMPLE,
        response_example={**WEBHOOK_EXAMPLE, "last_success_at": None, "secret": SECRET_EXAMPLE},
        errors=(Conflict, ActingOnBehalf),
        etag=True,
    )
    def post(self, request: Request) -> HttpResponse:
        made = webhooks.create_endpoint(actor=self.caller, **_values(parse(WebhookInput, request)))
        shown = {**webhook_shape(made.row), "secret": made.secret}
        return created(shown, location=f"/api/v1/webhooks/{made.row.pk}", etag=etag(made.row.version))


class OneWebhook(ApiView):
    access = {"GET": SIGNED_IN, "PUT": SIGNED_IN, "PATCH": SIGNED_IN, "DELETE": SIGNED_IN}

    @operation("Show one of one's webhooks", response=WebhookShape, response_example=WEBHOOK_EXAMPLE, etag=True)
    def get(self, request: Request, webhook_id: UUID) -> HttpResponse:
        row = WebhookEndpoint.objects.visible_to(self.caller).filter(pk=webhook_id).first()
        if row is None:
            raise NotFound
        return not_modified(request, row.version) or success(webhook_shape(row), headers={"ETag": etag(row.version)})

    @operation(
        "Replace one of one's webhooks",
        description="The secret stays. What is waiting goes to the new address.",
        request=WebhookInput,
        response=WebhookShape,
        request_example=_WRITE_EXAMPLE,
        response_example=WEBHOOK_EXAMPLE,
        errors=(PreconditionFailed, ActingOnBehalf),
        etag=True,
    )
    def put(self, request: Request, webhook_id: UUID) -> HttpResponse:
        return self._change(request, webhook_id, parse(WebhookInput, request))

    @operation(
        "Change one of one's webhooks",
        description="`active: false` gives up what is waiting; `active: true` begins anew after a failure.",
        request=WebhookInput,
        response=WebhookShape,
        request_example={"active": False},
        response_example={**WEBHOOK_EXAMPLE, "active": False, "disabled_at": "2026-11-21T10:00:00.000000Z"},
        errors=(PreconditionFailed, ActingOnBehalf),
        etag=True,
    )
    def patch(self, request: Request, webhook_id: UUID) -> HttpResponse:
        return self._change(request, webhook_id, parse(WebhookInput, request, partial=True))

    @operation(
        "Remove one of one's webhooks",
        description="The list of what was sent to it goes too.",
        status=204,
        errors=(PreconditionFailed,),
        etag=True,
    )
    def delete(self, request: Request, webhook_id: UUID) -> HttpResponse:
        check_version = partial(require_match, request)
        webhooks.delete_endpoint(actor=self.caller, endpoint_id=webhook_id, check_version=check_version)
        return no_content()

    def _change(self, request: Request, webhook_id: UUID, given: dict[str, Any]) -> HttpResponse:
        check_version = partial(require_match, request)
        row = webhooks.change_endpoint(
            actor=self.caller, endpoint_id=webhook_id, changes=_values(given), check_version=check_version
        )
        return success(webhook_shape(row), headers={"ETag": etag(row.version)})


class WebhookSecret(ApiView):
    access = {"POST": SIGNED_IN}
    keeps_secrets = True

    @operation(
        "Give a webhook a new secret",
        description="For 24 hours each message is signed with both, so a receiver changes over without a gap.",
        response=SecretWebhookShape,
        response_example={
            **WEBHOOK_EXAMPLE,
            "old_secret_until": "2026-11-22T09:30:00.000000Z",
            "secret": SECRET_EXAMPLE,
        },
        errors=(ActingOnBehalf,),
        etag=True,
    )
    def post(self, request: Request, webhook_id: UUID) -> HttpResponse:
        made = webhooks.rotate_secret(actor=self.caller, endpoint_id=webhook_id)
        shown = {**webhook_shape(made.row), "secret": made.secret}
        return success(shown, headers={"ETag": etag(made.row.version)})


WebhookDeliveryListQuery: Final = trimmed(DeliveryQuery, WebhookDeliveryShape)


class WebhookDeliveries(ApiView):
    access = {"GET": SIGNED_IN}

    @operation(
        "List what was sent to a webhook",
        description="Newest first, each with its tries, for as long as the log is kept (30 days at first).",
        query=WebhookDeliveryListQuery,
        response=WebhookDeliveryShape,
        many=True,
        paginated=True,
        response_example=[DELIVERY_EXAMPLE],
    )
    def get(self, request: Request, webhook_id: UUID) -> HttpResponse:
        query = parse_query(WebhookDeliveryListQuery, request)
        if not WebhookEndpoint.objects.visible_to(self.caller).filter(pk=webhook_id).exists():
            raise NotFound
        rows = WebhookDelivery.objects.filter(endpoint_id=webhook_id).prefetch_related("attempts")
        if "state" in query:
            rows = rows.filter(state=query["state"])
        if "type" in query:
            rows = rows.filter(event_type=query["type"])
        return paginate(rows, request, query, shape=delivery_shape, sorts=_SORTS, default_sort="-created_at")


class Redelivery(ApiView):
    access = {"POST": SIGNED_IN}

    @operation(
        "Send a delivery again",
        description="Under the same `webhook-id`, so a receiver that has had it can tell; with a full set of tries.",
        response=WebhookDeliveryShape,
        status=202,
        response_example={**DELIVERY_EXAMPLE, "state": "queued", "next_attempt_at": "2026-11-21T10:00:00.000000Z"},
        errors=(Conflict,),
    )
    def post(self, request: Request, webhook_id: UUID, delivery_id: UUID) -> HttpResponse:
        row = webhooks.redeliver(actor=self.caller, endpoint_id=webhook_id, delivery_id=delivery_id)
        return success(delivery_shape(row), status=202)


class WebhookTest(ApiView):
    access = {"POST": SIGNED_IN}
    rate_limit = "bulk"

    @operation(
        "Send a test event to a webhook",
        description="Of the type `webhook.test`, whatever types it asks for; signed and tried like any other.",
        response=WebhookDeliveryShape,
        status=202,
        response_example={
            **DELIVERY_EXAMPLE,
            "type": "webhook.test",
            "state": "queued",
            "attempts": [],
            "delivered_at": None,
            "next_attempt_at": "2026-11-21T10:00:00.000000Z",
        },
        errors=(Conflict,),
    )
    def post(self, request: Request, webhook_id: UUID) -> HttpResponse:
        row = webhooks.send_test(actor=self.caller, endpoint_id=webhook_id)
        return success(delivery_shape(row), status=202)


def _values(given: dict[str, Any]) -> dict[str, Any]:
    """Return what was given by the names of the columns."""
    return {("is_active" if name == "active" else name): value for name, value in given.items()}
