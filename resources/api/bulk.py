"""The endpoint of many writes at once."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from core.api.access import SIGNED_IN, require_scope
from core.api.envelope import success
from core.api.errors import as_application_error
from core.api.operations import operation
from core.api.serializers import StrictSerializer, parse, validate
from core.api.views import ApiView
from core.errors import ApplicationError, Conflict, Detail, NotFound, PreconditionFailed, ValidationFailed
from core.permissions import Caller
from resources.api.serializers import ChangedResourceInput, NewResourceInput
from resources.api.views import EXAMPLE
from resources.services.bulk import OPERATIONS, Outcome, Step, apply_each, apply_together, placed

MAX_OPERATIONS: Final = 500
_SCOPES: Final = {"delete": "delete:resource", "restore": "delete:resource"}
_STATUS: Final = {"create": 201, "delete": 204}


class CreateInput(NewResourceInput):
    """A resource to be made."""

    ignored_fields = frozenset()

    op = serializers.CharField()


class TargetInput(StrictSerializer):
    """Which resource it is about, and perhaps the version that is meant, as `If-Match` would say."""

    op = serializers.CharField()
    id = serializers.UUIDField()
    version = serializers.IntegerField(required=False, min_value=1)


class UpdateInput(ChangedResourceInput):
    """The fields to change, as PATCH takes them."""

    ignored_fields = frozenset()

    op = serializers.CharField()
    id = serializers.UUIDField()
    version = serializers.IntegerField(required=False, min_value=1)


class TransitionInput(TargetInput):
    """The way to take."""

    transition = serializers.CharField(max_length=50)


class OperationsField(serializers.ListField):
    """Operations; each is read by itself, so that its faults carry its place."""

    child = serializers.DictField()


class BulkInput(StrictSerializer):
    """Operations in the order in which they are done."""

    atomic = serializers.BooleanField(default=True)
    operations = OperationsField(min_length=1, max_length=MAX_OPERATIONS)


class BulkErrorShape(serializers.Serializer[Any]):
    """What the operation alone would have been refused with."""

    code = serializers.CharField()
    message = serializers.CharField()
    details = serializers.ListField(child=serializers.DictField())


class BulkShape(serializers.Serializer[Any]):
    """What became of one operation."""

    op = serializers.CharField()
    status = serializers.IntegerField()
    id = serializers.UUIDField(allow_null=True)
    version = serializers.IntegerField(allow_null=True)
    error = BulkErrorShape(allow_null=True)


_INPUTS: Final[dict[str, tuple[type[StrictSerializer], bool]]] = {
    "create": (CreateInput, False),
    "update": (UpdateInput, True),
    "delete": (TargetInput, False),
    "restore": (TargetInput, False),
    "transition": (TransitionInput, False),
}


class Bulk(ApiView):
    """Up to 500 writes."""

    access = {"POST": SIGNED_IN}
    token_scopes = {"POST": "write:resource"}
    rate_limit = "bulk"

    @operation(
        "Write many resources",
        description=(
            "Up to 500 operations in their order: `create` (fields as in POST), `update` (`id`, fields as in "
            "PATCH), `delete`, `restore` (`id`), `transition` (`id`, and `transition` or `name`); `version` "
            "stands for If-Match. With `atomic` (the default) the first refusal undoes everything and is the "
            "answer, with the place before each path (`operations.7.data.total`). Without it each is done for "
            "itself: always 200, each result with the status that the operation alone would have. A token needs "
            "`delete:resource` to delete and restore."
        ),
        request=BulkInput,
        response=BulkShape,
        many=True,
        request_example={
            "atomic": True,
            "operations": [
                {"op": "create", "name": "March", "data": {"price": 120.5}},
                {"op": "update", "id": EXAMPLE["id"], "version": 1, "data": {"price": 99}},
            ],
        },
        response_example=[
            {"op": "create", "status": 201, "id": EXAMPLE["id"], "version": 1, "error": None},
            {"op": "update", "status": 200, "id": EXAMPLE["id"], "version": 2, "error": None},
        ],
        errors=(NotFound, Conflict, PreconditionFailed),
    )
    def post(self, request: Request) -> HttpResponse:
        body = parse(BulkInput, request)
        read = [_read(raw, self.caller) for raw in body["operations"]]
        if body["atomic"]:
            outcomes = self._together(read)
        else:
            outcomes = apply_each(actor=self.caller, steps=read, known=as_application_error)
        return success([_shape(raw, outcome) for raw, outcome in zip(body["operations"], outcomes, strict=True)])

    def _together(self, read: Sequence[Step | ApplicationError]) -> list[Outcome]:
        steps = []
        faults: list[Detail] = []
        for place, step in enumerate(read):
            if isinstance(step, Step):
                steps.append(step)
            elif isinstance(step, ValidationFailed):
                faults.extend(placed(step, place).details)
            else:
                raise placed(step, place)
        if faults:
            raise ValidationFailed(details=faults)
        return apply_together(actor=self.caller, steps=steps, known=as_application_error)


def _read(raw: Mapping[str, Any], caller: Caller) -> Step | ApplicationError:
    """Return the operation as a step, or what is wrong with it."""
    try:
        op = raw.get("op")
        if not isinstance(op, str) or op not in _INPUTS:
            return ValidationFailed.of("op", "invalid_choice", f"Give one of {', '.join(OPERATIONS)}.")
        require_scope(_SCOPES.get(op, "write:resource"), caller)
        if op == "transition" and "transition" not in raw and "name" in raw:
            # As its path calls it: `…/transitions/{name}`.
            raw = {("transition" if field == "name" else field): value for field, value in raw.items()}
        kind, is_partial = _INPUTS[op]
        if is_partial and "id" not in raw:
            return ValidationFailed.of("id", "required", "This field is required.")
        values = validate(kind, dict(raw), partial=is_partial)
    except ApplicationError as error:
        return error
    del values["op"]
    return Step(op, id=values.pop("id", None), version=values.pop("version", None), values=values)


def _shape(raw: Mapping[str, Any], outcome: Outcome) -> dict[str, Any]:
    op, resource, error = str(raw.get("op", ""))[:20], outcome.resource, outcome.error
    if error is not None:
        details = [{"field": one.field, "code": one.code, "message": one.message} for one in error.details]
        told = {"code": error.code, "message": error.text, "details": details}
        return {"op": op, "status": error.status, "id": None, "version": None, "error": told}
    version, number = (None, None) if resource is None else (resource.version, resource.id)
    return {"op": op, "status": _STATUS.get(op, 200), "id": number, "version": version, "error": None}
