"""The editor of types in the admin: what it says while somebody types is what saving would say."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.models import User
from core.errors import ValidationFailed
from core.tests.spine import Events
from resources.models import ResourceType, ResourceTypeVersion
from resources.schemas import refuse_bad_schema
from resources.schemas.preview import MOST_FIELDS, example_of, fields_of
from resources.tests.factories import create_resource, create_type

BrowserOf = Callable[[User], Client]

PAGES = "/admin/resources/resourcetype/"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["number"],
    "additionalProperties": False,
    "properties": {
        "number": {"type": "string", "maxLength": 20},
        "total": {"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.5},
        "lines": {"type": "array", "minItems": 2, "items": {"$ref": "#/$defs/line"}},
    },
    "$defs": {"line": {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}},
}
WORKFLOW = {
    "initial": "draft",
    "states": ["draft", "sent"],
    "transitions": [{"name": "send", "from": ["draft"], "to": "sent", "require": ["total"], "allow": ["owner"]}],
}


def check(browser: Client, schema: Any, workflow: Any = None, key: str = "") -> Any:
    as_text = [value if isinstance(value, str) else json.dumps(value) for value in (schema, workflow)]
    answer = browser.post(f"{PAGES}check/", {"schema": as_text[0], "workflow": as_text[1], "key": key})
    assert answer.status_code == 200
    return answer.json()


def faults(said: Any) -> list[tuple[str, str]]:
    return [(fault["path"], fault["code"]) for fault in said["faults"]]


def test_what_a_schema_accepts_is_shown(admin: User, browser_of: BrowserOf) -> None:
    said = check(browser_of(admin), SCHEMA, WORKFLOW)

    assert said["faults"] == []
    assert said["fields"] == [
        ["number", "string", "required", "maxLength 20"],
        ["total", "number", "", "exclusiveMinimum 0, multipleOf 0.5"],
        ["lines", "array", "", "minItems 2"],
        ["lines.0.text", "string", "required", ""],
    ]
    assert json.loads(said["example"]["text"]) == {
        "number": "text",
        "total": 0.5,
        "lines": [{"text": "text"}, {"text": "text"}],
    }
    assert said["example"]["faults"] == []
    assert said["transitions"] == [["send", "draft", "sent", "owner", "total"]]
    assert said["sample"] is None


@pytest.mark.parametrize(
    ("schema", "workflow", "found"),
    [
        ("{", None, [("schema", "no_json")]),
        ("[" * 100_000, None, [("schema", "no_json")]),
        ('{"type": "object", "type": "object"}', None, [("schema", "no_json")]),
        ({"type": "object", "propertys": {}}, None, [("schema.propertys", "unknown_keyword")]),
        ("", None, [("schema", "not_an_object")]),
        ({"type": "object"}, {"states": []}, [("workflow.states", "invalid")]),
        ({"type": "text"}, "{,}", [("workflow", "no_json")]),
        ({"type": "text"}, {"states": []}, [("schema.type", "not_an_object"), ("workflow.states", "invalid")]),
    ],
)
def test_faults_are_told_by_their_paths(
    admin: User, browser_of: BrowserOf, schema: Any, workflow: Any, found: list[tuple[str, str]]
) -> None:
    assert faults(check(browser_of(admin), schema, workflow)) == found


def test_rows_that_the_new_schema_would_refuse_are_counted(admin: User, owner: User, browser_of: BrowserOf) -> None:
    create_type("invoice", schema={"type": "object"}, workflow=WORKFLOW)
    for number in range(5):
        create_resource(owner, type_id="invoice", status="draft", data={"number": str(number)} if number else {})
    browser = browser_of(admin)

    same = check(browser, {"type": "object"}, WORKFLOW, key="invoice")
    stricter = check(browser, SCHEMA, WORKFLOW, key="invoice")
    stateless = check(browser, {"type": "object"}, None, key="invoice")

    assert same["sample"] is None
    assert stricter["sample"] == {"refused": 1, "judged_text": "the 5 resource(s)"}
    assert stateless["sample"]["refused"] == 5
    assert ResourceTypeVersion.objects.filter(type__key="invoice").count() == 1


def test_the_editor_is_for_administrators(
    owner: User, moderator: User, admin: User, browser_of: BrowserOf, events: Events
) -> None:
    assert Client().post(f"{PAGES}check/", {"schema": "{}"}).status_code == 302
    assert browser_of(moderator).post(f"{PAGES}check/", {"schema": "{}"}).status_code == 403
    assert browser_of(admin).get(f"{PAGES}check/").status_code == 405
    without_token = Client(enforce_csrf_checks=True)
    without_token.cookies = browser_of(admin).cookies
    assert without_token.post(f"{PAGES}check/", {"schema": "{}"}).status_code == 403
    assert events("resource_type.*") == []


def test_a_type_is_made_and_changed_with_the_text_of_the_editor(
    admin: User, browser_of: BrowserOf, events: Events
) -> None:
    browser = browser_of(admin)
    fields = {"key": "note", "name": "Note", "default_visibility": "private", "trash_days": "30", "comments": "on"}

    made = browser.post(f"{PAGES}add/", {**fields, "schema": json.dumps(SCHEMA), "workflow": ""})
    kind = ResourceType.objects.get(key="note")
    page = browser.get(f"{PAGES}{kind.pk}/change/").content.decode()
    deep = browser.post(f"{PAGES}{kind.pk}/change/", {**fields, "schema": "[" * 100_000, "workflow": ""})
    changed = browser.post(
        f"{PAGES}{kind.pk}/change/", {**fields, "schema": json.dumps(SCHEMA), "workflow": json.dumps(WORKFLOW)}
    )

    assert (made.status_code, deep.status_code, changed.status_code) == (302, 200, 302)
    assert 'data-key="note"' in page
    assert f'data-check="{PAGES}check/"' in page
    assert "resources/type_editor.js" in page
    kind.refresh_from_db()
    assert (kind.schema, kind.workflow, kind.schema_version) == (SCHEMA, WORKFLOW, 1)
    assert [event.type for event in events("resource_type.*")] == ["resource_type.created", "resource_type.updated"]


def test_an_example_that_cannot_be_made_says_why() -> None:
    schema = {"type": "object", "required": ["code"], "properties": {"code": {"type": "string", "pattern": "^[0-9]+$"}}}

    example = example_of(schema)

    assert [(fault.field, fault.code) for fault in example.faults] == [("data.code", "pattern")]
    schema["properties"] = {"code": {"type": "string", "pattern": "^[0-9]+$", "examples": ["12"]}}
    assert example_of(schema).faults == ()


def test_lists_of_lists_do_not_grow_without_end() -> None:
    inner: dict[str, Any] = {"type": "string"}
    for _ in range(18):
        inner = {"type": "array", "minItems": 20, "items": inner}
    schema = {"type": "object", "properties": {"deep": inner, **{f"f{place}": {} for place in range(300)}}}

    assert len(json.dumps(example_of(schema).data)) < 100_000
    assert len(fields_of(schema)) == MOST_FIELDS


_LEAVES = st.sampled_from(
    [
        *(True, False, {}, {"type": "string", "format": "date"}, {"type": ["null", "integer"], "maximum": -2}),
        *({"enum": []}, {"const": None}, {"$ref": "#/$defs/one"}, {"type": "number", "minimum": 0.3, "multipleOf": 2}),
        *({"type": "boolean"}, {"minimum": 3}, {"type": "string", "maxLength": 1}, {"examples": [{}]}),
    ]
)
_SUBSCHEMAS = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"type": st.just("array"), "items": inner, "minItems": st.integers(0, 3)}),
        st.fixed_dictionaries({"prefixItems": st.lists(inner, max_size=2), "type": st.just("array")}),
        st.fixed_dictionaries({"allOf": st.lists(inner, max_size=2), "anyOf": st.lists(inner, max_size=2)}),
        st.fixed_dictionaries({"properties": st.dictionaries(st.sampled_from("abc"), inner, max_size=3)}),
    ),
    max_leaves=8,
)


@settings(deadline=None, max_examples=80)
@given(properties=st.dictionaries(st.sampled_from("abc"), _SUBSCHEMAS, max_size=3), one=_LEAVES)
def test_whatever_passes_the_lint_can_be_shown(properties: dict[str, Any], one: Any) -> None:
    schema = {"type": "object", "properties": properties, "$defs": {"one": one}}
    try:
        refuse_bad_schema(schema)
    except ValidationFailed:
        return

    json.dumps([str(fields_of(schema)), example_of(schema).data])
