"""`/webhooks/in/{source}`: where other programs tell us something; their signature is what lets them in."""

from typing import Any

from django.conf import settings
from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from core.api.access import PUBLIC
from core.api.envelope import success
from core.api.operations import operation
from core.api.query import Query
from core.api.views import ApiView
from core.errors import InvalidSignature, NotFound, PayloadTooLarge
from notifications.services import inbound


class AnyBody(serializers.Serializer[Any]):
    """Whatever the other program sends, kept byte for byte; of JSON these two are looked at, where they are there."""

    id = serializers.CharField(required=False)
    type = serializers.CharField(required=False)


class AnyQuery(Query):
    """What stands behind the `?` of the address that the other program was given: kept, for handlers to look at."""

    message = serializers.CharField(
        required=False, help_text="Of a callback about a text message: which one. It is a part of what is signed."
    )


class InboundShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    event_id = serializers.CharField(help_text="The other program's id of the event, else a digest of the body.")
    duplicate = serializers.BooleanField(help_text="Whether it had been told before, and so has no effect now.")


class InboundWebhooks(ApiView):
    access = {"POST": PUBLIC}
    # A program may send whatever credentials it likes: its signature is what counts.
    authentication_classes = []
    rate_limit = "inbound"

    @property
    def body_limit(self) -> int:
        return settings.INBOUND_MAX_BYTES

    @operation(
        "Tell something, as a program that is registered",
        description=(
            "Without a token: the signature of the source's scheme proves where the message is from, and where the "
            "scheme says when it was sent, it may be five minutes old. It is stored as it came and worked off "
            "afterwards; the same event id twice has one effect."
        ),
        query=AnyQuery,
        request=AnyBody,
        response=InboundShape,
        status=202,
        request_example={"id": "evt_1", "type": "invoice.paid"},
        response_example={
            "id": "01a1fbd6-3c11-7a04-8f7e-6d1b2f9a0c55",
            "event_id": "evt_1",
            "duplicate": False,
        },
        errors=(InvalidSignature, NotFound, PayloadTooLarge),
    )
    def post(self, request: Request, source: str) -> HttpResponse:
        headers = {name.lower(): value for name, value in request._request.headers.items()}
        query = request._request.META.get("QUERY_STRING", "")
        incoming = inbound.Incoming(headers, request._request.body, query)
        message, is_new = inbound.receive(source_key=source, incoming=incoming)
        return success({"id": message.pk, "event_id": message.event_id, "duplicate": not is_new}, status=202)
