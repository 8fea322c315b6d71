"""`GET /api/v1/schema`: the types of this database, for those who may read types."""

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from django.test import Client
from drf_spectacular.validation import validate_schema
from jsonschema_rs import Draft202012Validator

from accounts.models import User
from accounts.tests.factories import create_api_token_of
from core.permissions import SYSTEM
from resources.schemas.references import placed_at
from resources.services import types
from resources.tests.factories import create_resource, create_type

PATH = "/api/v1/schema"
ClientOf = Callable[[User], Client]
SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["number"],
    "additionalProperties": False,
    "properties": {
        "number": {"type": "string"},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}},
        "$ref": {"const": {"$ref": "#/$defs/line"}},
    },
    "$defs": {"line": {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}},
}
WORKFLOW = {"initial": "draft", "states": ["draft", "sent"], "transitions": []}


@pytest.fixture
def invoice(db: None) -> None:
    create_type("invoice", schema=SCHEMA, workflow=WORKFLOW, description="A bill that was sent")


def document_for(client: Client) -> Any:
    answer = client.get(PATH)
    assert answer.status_code == 200
    return answer.json()


def test_who_may_read_types_reads_them_in_the_document(
    owner: User, client_of: ClientOf, anonymous: Client, invoice: None
) -> None:
    plain, document = document_for(anonymous), document_for(client_of(owner))

    schemas = document["components"]["schemas"]
    assert schemas["ResourceData_invoice"] == {
        "title": "Invoice",
        "description": "A bill that was sent",
        **{name: value for name, value in SCHEMA.items() if name != "$schema"},
        "properties": {
            **SCHEMA["properties"],
            "lines": {
                "type": "array",
                "items": {"$ref": "#/components/schemas/ResourceData_invoice/$defs/line"},
            },
        },
    }
    assert schemas["AnyResource"]["discriminator"]["mapping"] == {
        "invoice": "#/components/schemas/Resource_invoice",
        "item": "#/components/schemas/Resource_item",
    }
    listed = document["paths"]["/api/v1/resources"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert listed["properties"]["data"]["items"] == {"$ref": "#/components/schemas/AnyResource"}
    assert not any("invoice" in name for name in plain["components"]["schemas"])
    assert schemas.keys() - plain["components"]["schemas"].keys() == {
        *("AnyResource", "AnyNewResource", "ResourceData_invoice", "Resource_invoice", "NewResource_invoice"),
        *("ResourceData_item", "Resource_item", "NewResource_item"),
    }


def test_the_document_is_valid_and_real_answers_are_as_it_says(owner: User, client_of: ClientOf, invoice: None) -> None:
    client = client_of(owner)
    body = {"type": "invoice", "name": "March", "data": {"number": "1", "lines": [{"text": "a"}]}}
    made = client.post("/api/v1/resources", body).json()["data"]
    item = client.post("/api/v1/resources", {"name": "Thing", "data": {"free": 1}}).json()["data"]

    document = document_for(client)
    validate_schema(document)  # type: ignore[no-untyped-call]  # the library has no types here

    components = {"components": document["components"]}
    answers = Draft202012Validator({"$ref": "#/components/schemas/AnyResource", **components})
    inputs = Draft202012Validator({"$ref": "#/components/schemas/AnyNewResource", **components})
    assert answers.is_valid(made)
    assert answers.is_valid(item)
    assert not answers.is_valid({**made, "data": {"lines": []}})
    assert not answers.is_valid({**made, "status": "lost"})
    assert [inputs.is_valid(one) for one in (body, {"name": "x"}, {"name": "x", "type": "item"})] == [True] * 3
    assert [inputs.is_valid(one) for one in ({**body, "data": {}}, {"name": "x", "type": "invoice"})] == [False] * 2


def test_strangers_and_tokens_without_the_right_read_what_anyone_may(
    owner: User, anonymous: Client, client_of: ClientOf, invoice: None
) -> None:
    create_resource(owner, type_id="invoice", status="draft", visibility="public")
    scopeless = Client(headers={"Authorization": f"Bearer {create_api_token_of(owner, 'write:resource')[1]}"})
    reader = Client(headers={"Authorization": f"Bearer {create_api_token_of(owner, 'read:resource')[1]}"})

    plain = anonymous.get(PATH).content

    assert b"ResourceData_" not in plain
    assert scopeless.get(PATH).content == plain
    assert "ResourceData_invoice" in reader.get(PATH).content.decode()
    assert "ResourceData_invoice" in document_for(client_of(owner))["components"]["schemas"]


def test_a_changed_type_is_seen_at_once(owner: User, client_of: ClientOf, invoice: None) -> None:
    client = client_of(owner)
    before = document_for(client)["components"]["schemas"]

    types.change_type(actor=SYSTEM, key="invoice", changes={"schema": {"type": "object"}})
    changed = document_for(client)["components"]["schemas"]
    types.delete_type(actor=SYSTEM, key="invoice")
    after = document_for(client)["components"]["schemas"]

    assert "number" in before["ResourceData_invoice"]["properties"]
    assert changed["ResourceData_invoice"] == {
        "type": "object",
        "title": "Invoice",
        "description": "A bill that was sent",
    }
    assert "ResourceData_invoice" not in after


def test_it_comes_as_yaml_too(owner: User, client_of: ClientOf, invoice: None) -> None:
    client = client_of(owner)

    as_text = client.get(PATH, headers={"accept": "application/yaml"})

    assert as_text["Content-Type"] == "application/yaml"
    assert yaml.load(as_text.content, Loader=yaml.CSafeLoader) == document_for(client)


def test_references_move_and_values_stay() -> None:
    schema = {
        "allOf": [{"$ref": "#/$defs/a"}],
        "properties": {"default": {"$ref": "#/$defs/a", "default": {"$ref": "#/x"}}, "b": True},
        "examples": [{"$ref": "#/x"}],
        "$defs": {"a": {"not": {"$ref": "#"}}},
    }

    assert placed_at(schema, "#/c") == {
        "allOf": [{"$ref": "#/c/$defs/a"}],
        "properties": {"default": {"$ref": "#/c/$defs/a", "default": {"$ref": "#/x"}}, "b": True},
        "examples": [{"$ref": "#/x"}],
        "$defs": {"a": {"not": {"$ref": "#/c"}}},
    }
