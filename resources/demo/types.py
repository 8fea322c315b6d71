"""The types of the demo world: what a business has beside things without a form."""

from typing import Any, Final

from core.permissions import SYSTEM
from resources.models import ResourceType
from resources.services.types import NewType, create_type

PROJECT: Final = "project"
DOCUMENT: Final = "document"
INVOICE: Final = "invoice"

_DATE: Final[dict[str, Any]] = {"type": "string", "format": "date"}

TYPES: Final = (
    NewType(
        key=PROJECT,
        name="Project",
        description="What is done for somebody, from when to when, and for how much.",
        icon="rocket_launch",
        schema={
            "type": "object",
            "required": ["customer"],
            "additionalProperties": False,
            "properties": {
                "customer": {"type": "string", "minLength": 1, "maxLength": 200, "x-search": "B"},
                "budget": {"type": "number", "minimum": 0, "x-index": True},
                "starts_on": {**_DATE, "x-index": True},
                "ends_on": _DATE,
                "address": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"city": {"type": "string"}, "zip": {"type": "string", "pattern": "^[0-9]{5}$"}},
                },
            },
        },
        workflow={
            "initial": "planned",
            "states": ["planned", "active", "done", "cancelled"],
            "transitions": [
                {"name": "start", "from": ["planned"], "to": "active", "allow": ["editor"]},
                {"name": "finish", "from": ["active"], "to": "done", "require": ["ends_on"], "allow": ["owner"]},
                {"name": "cancel", "from": ["planned", "active"], "to": "cancelled", "allow": ["owner"]},
            ],
        },
        default_visibility="internal",
    ),
    NewType(
        key=DOCUMENT,
        name="Document",
        description="A text with a kind, which somebody else looks at before it holds.",
        icon="description",
        schema={
            "type": "object",
            "required": ["kind"],
            "additionalProperties": False,
            "properties": {
                "kind": {"enum": ["contract", "minutes", "offer"]},
                "summary": {"type": "string", "maxLength": 2000, "x-search": "C"},
                "pages": {"type": "integer", "minimum": 1},
                "signed": {"type": "boolean"},
            },
        },
        workflow={
            "initial": "draft",
            "states": ["draft", "review", "published"],
            "transitions": [
                {"name": "submit", "from": ["draft"], "to": "review", "allow": ["editor"]},
                {"name": "publish", "from": ["review"], "to": "published", "allow": ["role:moderator"]},
                {"name": "reject", "from": ["review"], "to": "draft", "allow": ["role:moderator"]},
            ],
        },
    ),
    NewType(
        key=INVOICE,
        name="Invoice",
        description="What a customer owes.",
        icon="receipt_long",
        schema={
            "type": "object",
            "required": ["number", "total"],
            "additionalProperties": False,
            "properties": {
                "number": {"type": "string", "minLength": 1, "maxLength": 30, "x-unique": True, "x-search": "A"},
                "total": {"type": "number", "minimum": 0, "x-index": True},
                "currency": {"enum": ["EUR", "GBP", "USD"]},
                "customer": {"type": "string", "maxLength": 200, "x-search": "B"},
                "due_on": {**_DATE, "x-index": True},
                "project": {"type": "string", "format": "uuid", "x-ref": {"type": PROJECT, "on_delete": "set_null"}},
                "lines": {
                    "type": "array",
                    "maxItems": 200,
                    "items": {
                        "type": "object",
                        "required": ["text", "price"],
                        "additionalProperties": False,
                        "properties": {
                            "text": {"type": "string", "maxLength": 500},
                            "quantity": {"type": "number", "exclusiveMinimum": 0},
                            "price": {"type": "number"},
                        },
                    },
                },
            },
        },
        workflow={
            "initial": "draft",
            "states": ["draft", "sent", "paid"],
            "transitions": [
                {"name": "send", "from": ["draft"], "to": "sent", "require": ["total"], "allow": ["owner", "editor"]},
                {"name": "pay", "from": ["sent"], "to": "paid", "allow": ["role:moderator"]},
            ],
        },
    ),
)


def demo_types() -> dict[str, int]:
    """Make the types that are missing; return the demo's own, each with the version that its schema is in.

    A type of the same key that somebody has made, or changed, is theirs: the demo makes no resources of it.
    """
    present = {kind.key: kind for kind in ResourceType.objects.filter(key__in=[new.key for new in TYPES])}
    for new in TYPES:
        if new.key not in present:
            present[new.key] = create_type(actor=SYSTEM, new=new)
    return {
        new.key: present[new.key].schema_version
        for new in TYPES
        if (present[new.key].schema, present[new.key].workflow) == (new.schema, new.workflow)
    }
