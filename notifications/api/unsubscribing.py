"""`/unsubscribe/{token}`: one click in a mail switches its kind off, without a sign-in (RFC 8058)."""

from collections.abc import Mapping
from typing import IO, Any

from django.http import HttpRequest, HttpResponse
from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from core.api.access import ANY_TOKEN, PUBLIC
from core.api.envelope import success
from core.api.operations import operation
from core.api.parser import StrictJSONParser
from core.api.serializers import StrictSerializer
from core.api.views import ApiView
from core.errors import NotFound
from notifications.kinds import kind_of
from notifications.services.preferences import subscription_behind, unsubscribe
from notifications.unsubscribe_links import Subscription


class SubscriptionShape(StrictSerializer):
    kind = serializers.CharField()
    title = serializers.CharField()
    channel = serializers.CharField()


_EXAMPLE = {"kind": "resource.commented", "title": "Somebody commented on what you follow", "channel": "email"}


class _OneClickParser(BaseParser):
    """The form that mail programs send says nothing that the address does not say."""

    media_type = "application/x-www-form-urlencoded"

    def parse(
        self,
        stream: IO[Any] | HttpRequest,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        return {}


class _OneClickMultipartParser(_OneClickParser):
    media_type = "multipart/form-data"


class Unsubscribe(ApiView):
    access = {"GET": PUBLIC, "POST": PUBLIC}
    token_scopes = {"GET": ANY_TOKEN, "POST": ANY_TOKEN}
    parser_classes = [StrictJSONParser, _OneClickParser, _OneClickMultipartParser]
    keeps_secrets = True

    @operation(
        "Show what a link at the end of a mail switches off",
        description="Changes nothing: scanners open links. The token has no end.",
        response=SubscriptionShape,
        response_example=_EXAMPLE,
        errors=(NotFound,),
    )
    def get(self, request: Request, subscription: str) -> HttpResponse:
        return success(_shape(subscription_behind(subscription)))

    @operation(
        "Switch off what the link names",
        description=(
            "No sign-in; safe to repeat. Takes the form that mail programs send (`List-Unsubscribe=One-Click`), or "
            "nothing. In `/notifications/preferences` it can be switched on again."
        ),
        response=SubscriptionShape,
        response_example=_EXAMPLE,
        errors=(NotFound,),
    )
    def post(self, request: Request, subscription: str) -> HttpResponse:
        return success(_shape(unsubscribe(token=subscription, actor=self.caller)))


def _shape(subscription: Subscription) -> dict[str, Any]:
    kind = kind_of(subscription.kind)
    return {"kind": kind.code, "title": kind.title, "channel": subscription.channel}
