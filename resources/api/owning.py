"""The endpoints of whose a resource is: made or replaced by its owner's own id for it, or given to somebody else."""

from functools import partial
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from core.api.access import SIGNED_IN
from core.api.concurrency import etag, require_match
from core.api.envelope import success, success_json
from core.api.fields import NameField
from core.api.operations import operation
from core.api.serializers import StrictSerializer, parse, validate
from core.api.views import ApiView
from core.errors import Conflict, NotFound, PreconditionFailed, ValidationFailed
from resources.api import reading
from resources.api.serializers import ChangedResourceInput, OwnerShape, ResourceShape
from resources.api.views import EXAMPLE
from resources.services import Content, transfer_resource, upsert_resource
from resources.services.upserting import ABSENT


class ExternalIdInput(StrictSerializer):
    """The id of the path."""

    external_id = NameField(max_length=200)


class TransferInput(StrictSerializer):
    """Whose it becomes."""

    owner = serializers.UUIDField()


class TransferShape(serializers.Serializer[Any]):
    """Whose it is now."""

    id = serializers.UUIDField()
    owner = OwnerShape()
    version = serializers.IntegerField()


class ResourceByExternalId(ApiView):
    """A resource of the caller's under an id of their own."""

    access = {"PUT": SIGNED_IN}
    token_scopes = {"PUT": "write:resource"}

    @operation(
        "Create or replace a resource by its external id",
        description=(
            "Safe to repeat and safe under concurrency: 201 when it was made, 200 when it was replaced. Every owner "
            "has ids of their own for each type: what somebody else keeps under this id is neither seen nor touched. A "
            "resource in the bin keeps its id without holding it. One slash at the end is no part of the id. "
            "`If-None-Match: *` makes a new one or nothing (412)."
        ),
        request=ChangedResourceInput,
        response=ResourceShape,
        may_create=True,
        request_example={"name": "March", "data": {"price": 120.5}},
        response_example={**EXAMPLE, "external_id": "2026-03"},
        etag=True,
        errors=(Conflict,),
    )
    def put(self, request: Request, type: str, external_id: str) -> HttpResponse:
        # As on every path, one slash at the end is as good as none.
        known = external_id.removesuffix("/")
        content = Content(**_content(parse(ChangedResourceInput, request), type, known))
        resource, is_new = upsert_resource(
            actor=self.caller, type_key=type, content=content, precondition=partial(_require_match, request)
        )
        raw, version = reading.resource_json(self.caller, resource.id)
        headers = {"ETag": etag(version)}
        if is_new:
            headers["Location"] = f"/api/v1/resources/{resource.id}"
        return success_json(raw, status=201 if is_new else 200, headers=headers)


class Transfer(ApiView):
    """The way to another owner."""

    access = {"POST": SIGNED_IN}
    token_scopes = {"POST": "delete:resource"}

    @operation(
        "Transfer a resource",
        description=(
            "For its owner and administrators. The new owner has to be able to sign in. Shares that the old owner gave "
            "end; the old owner keeps what other rules give them, which may be nothing. Both are told."
        ),
        request=TransferInput,
        response=TransferShape,
        request_example={"owner": EXAMPLE["owner"]["id"]},
        response_example={"id": EXAMPLE["id"], "owner": EXAMPLE["owner"], "version": 2},
        etag=True,
        errors=(NotFound, Conflict, PreconditionFailed),
    )
    def post(self, request: Request, resource_id: UUID) -> HttpResponse:
        resource = transfer_resource(
            actor=self.caller,
            resource_id=resource_id,
            owner_id=parse(TransferInput, request)["owner"],
            precondition=partial(require_match, request),
        )
        owner = {"id": resource.owner_id, "name": resource.owner.name}
        shape = {"id": resource.id, "owner": owner, "version": resource.version}
        return success(shape, headers={"ETag": etag(resource.version)})


def _content(body: dict[str, Any], type_key: str, external_id: str) -> dict[str, Any]:
    """Return what the body says; the path says the rest, and the body nothing else."""
    known = {"type": type_key, **validate(ExternalIdInput, {"external_id": external_id})}
    for name, value in known.items():
        if body.get(name, value) != value:
            raise ValidationFailed.of(name, "conflict", "This is not what the path says.")
    del known["type"]
    return {**{name: value for name, value in body.items() if name != "type"}, **known}


def _require_match(request: Request, version: int) -> None:
    unwanted = "HTTP_IF_MATCH" if version == ABSENT else "HTTP_IF_NONE_MATCH"
    if version == ABSENT and unwanted in request.META:
        raise PreconditionFailed
    if version != ABSENT and request.META.get(unwanted, "").strip() == "*":
        raise PreconditionFailed
    require_match(request, version)
