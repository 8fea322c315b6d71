"""The types of this database in the OpenAPI document of those who may read them: what `data` holds, by `type`."""

from collections.abc import Hashable
from typing import Any, Final

from core.api.documentation import adds_to_document
from core.permissions import Caller
from resources.models import ITEM, ResourceType
from resources.schemas.keywords import READ
from resources.schemas.references import placed_at
from resources.schemas.workflows import states_of

_SCHEMAS: Final = "#/components/schemas/"
_ANSWER: Final = "ResourceShape"
_INPUT: Final = "NewResourceInputRequest"
_ANY_ANSWER: Final = "AnyResource"
_ANY_INPUT: Final = "AnyNewResource"


def _may_read_types(caller: Caller) -> bool:
    """Return whether `GET /resource-types` would answer: a type may tell what a business does."""
    return caller.is_authenticated and (caller.token_id is None or caller.covers("read:resource"))


def _state() -> Hashable:
    """Return what changes whenever a type is made, changed or deleted, in whichever process."""
    return tuple(ResourceType.objects.order_by("key").values_list("id", "version"))


@adds_to_document(knows=_may_read_types, state=_state)
def add_types(document: dict[str, Any]) -> None:
    """Add the components of each type, and let operations name them where they name any resource."""
    kinds = list(ResourceType.objects.order_by("key"))
    schemas = document["components"]["schemas"]
    for kind in kinds:
        schemas[f"ResourceData_{kind.key}"] = _data(kind)
        schemas[f"Resource_{kind.key}"] = _answer(kind)
        schemas[f"NewResource_{kind.key}"] = _input(kind)
    answers = {kind.key: f"{_SCHEMAS}Resource_{kind.key}" for kind in kinds}
    schemas[_ANY_ANSWER] = {
        "oneOf": [{"$ref": reference} for reference in answers.values()],
        "discriminator": {"propertyName": "type", "mapping": answers},
    }
    schemas[_ANY_INPUT] = {"oneOf": [{"$ref": f"{_SCHEMAS}NewResource_{kind.key}"} for kind in kinds]}
    renamed = {f"{_SCHEMAS}{_ANSWER}": f"{_SCHEMAS}{_ANY_ANSWER}", f"{_SCHEMAS}{_INPUT}": f"{_SCHEMAS}{_ANY_INPUT}"}
    document["paths"] = _with_references(document["paths"], renamed)


def _data(kind: ResourceType) -> dict[str, Any]:
    """Return the schema of `data`."""
    schema = _as_anyone_reads(placed_at(kind.schema, f"{_SCHEMAS}ResourceData_{kind.key}"))
    told = {"title": schema.get("title", kind.name), "description": schema.get("description", kind.description)}
    return {**schema, **{name: text for name, text in told.items() if text}}


def _as_anyone_reads(schema: Any) -> Any:
    """Return the schema without calling required what only some may read: in the answers to others it is missing."""
    if not isinstance(schema, dict) or "properties" not in schema:
        return schema
    properties = {name: _as_anyone_reads(child) for name, child in schema["properties"].items()}
    hidden = {name for name, child in properties.items() if isinstance(child, dict) and READ in child}
    whole = {**schema, "properties": properties}
    if hidden & set(schema.get("required", ())):
        whole["required"] = [name for name in schema["required"] if name not in hidden]
    return whole


def _answer(kind: ResourceType) -> dict[str, Any]:
    properties = {
        "type": {"const": kind.key},
        "status": {"enum": states_of(kind.workflow)},
        "data": {"$ref": f"{_SCHEMAS}ResourceData_{kind.key}"},
    }
    return {"allOf": [{"$ref": f"{_SCHEMAS}{_ANSWER}"}, {"type": "object", "properties": properties}]}


def _input(kind: ResourceType) -> dict[str, Any]:
    properties = {"type": {"const": kind.key}, "data": {"$ref": f"{_SCHEMAS}ResourceData_{kind.key}"}}
    # What is made without a type is an item.
    required = [] if kind.key == ITEM else ["type"]
    if kind.schema.get("required"):
        required.append("data")
    own = {"type": "object", "properties": properties, **({"required": required} if required else {})}
    return {"allOf": [{"$ref": f"{_SCHEMAS}{_INPUT}"}, own]}


def _with_references(part: Any, renamed: dict[str, str]) -> Any:
    if isinstance(part, dict):
        return {
            name: renamed.get(value, value)
            if name == "$ref" and isinstance(value, str)
            else _with_references(value, renamed)
            for name, value in part.items()
        }
    return [_with_references(item, renamed) for item in part] if isinstance(part, list) else part
