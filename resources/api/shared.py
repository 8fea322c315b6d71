"""`/shared/{token}`: what a link shows, without sign-in."""

from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from core.api.access import PUBLIC
from core.api.concurrency import etag, not_modified
from core.api.envelope import success_json
from core.api.fields import SecretField
from core.api.operations import operation
from core.api.serializers import StrictSerializer, parse
from core.api.views import ApiView
from core.errors import InvalidCredentials, NotFound
from resources.api import reading
from resources.api.serializers import SharedShape
from resources.api.views import EXAMPLE
from resources.services.links import open_link

_EXAMPLE: dict[str, Any] = {**EXAMPLE, "access": "viewer", "owner": {**EXAMPLE["owner"], "avatar": None}}


class LinkPasswordInput(StrictSerializer):
    """The password of a link."""

    password = SecretField(max_length=128)


class Shared(ApiView):
    """A link. Whoever opens it reads as nobody in particular, signed in or not, and for this answer alone."""

    access = {"GET": PUBLIC, "POST": PUBLIC}
    token_scopes = {"GET": "read:resource", "POST": "write:resource"}
    keeps_secrets = True
    reads_replicas = False

    @operation(
        "Open a link",
        description=(
            "The resource that the link shares. Each answer is one of the openings that the link may have. A link that "
            "never was, has expired, is used up, or whose giver lost the right to give it: 404. One with a password "
            "answers 401 and is opened by POST."
        ),
        response=SharedShape,
        response_example=_EXAMPLE,
        errors=(NotFound, InvalidCredentials),
        etag=True,
    )
    def get(self, request: Request, token: str) -> HttpResponse:
        return self._opened(request, token, None)

    @operation(
        "Open a link with its password",
        description="As GET. After five wrong passwords from one address the next ones have to wait.",
        request=LinkPasswordInput,
        response=SharedShape,
        request_example={"password": "open sesame"},
        response_example=_EXAMPLE,
        errors=(NotFound, InvalidCredentials),
        etag=True,
    )
    def post(self, request: Request, token: str) -> HttpResponse:
        return self._opened(request, token, parse(LinkPasswordInput, request)["password"])

    def _opened(self, request: Request, token: str, password: str | None) -> HttpResponse:
        resource_id = open_link(actor=self.caller, token=token, password=password)
        raw, version = reading.linked_json(resource_id)
        known = not_modified(request, version) if request.method in {"GET", "HEAD"} else None
        if known is not None and reading.is_linked_known(resource_id):
            return known
        return success_json(raw, headers={"ETag": etag(version)})
