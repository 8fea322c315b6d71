"""The keywords of our own: where they stand, what they say, and what they may not say together."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ValidationFailed
from resources.schemas import Schema, refuse_bad_schema
from resources.schemas.keyword_lint import keyword_faults
from resources.schemas.keywords import ALL, OPEN, Keywords, Reference, Rule, Searched

TEXT = {"type": "string"}


def with_property(schema: Any, **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"x": schema}, **more}


def faults(schema: Any) -> list[tuple[str | None, str]]:
    return [(detail.field, detail.code) for detail in keyword_faults(schema)]


@pytest.fixture(autouse=True)
def every_keyword_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Judge each keyword, those too that no service acts upon yet."""
    monkeypatch.setattr("resources.schemas.keyword_lint.OPEN", frozenset(ALL))


def test_keywords_are_read_with_their_paths() -> None:
    schema = with_property(
        {"type": "object", "properties": {"y": {**TEXT, "x-unique": True, "x-search": "A", "x-index": True}}}
    )
    schema["properties"] |= {
        "customer": {**TEXT, "x-ref": {"type": "customer", "on_delete": "set_null"}},
        "projects": {"type": "array", "items": {**TEXT, "x-ref": "project"}},
        "secret": {"x-encrypted": True, "x-read": ["moderator", "owner"], "x-write": []},
        "plain": {**TEXT, "x-unique": False},
    }

    assert faults(schema) == []
    assert Keywords.of(schema) == Keywords(
        unique=(("x", "y"),),
        index=(("x", "y"),),
        search=(Searched(("x", "y"), "A"),),
        references=(
            Reference(("customer",), "customer", "set_null"),
            Reference(("projects",), "project", "restrict", is_list=True),
        ),
        encrypted=(("secret",),),
        read=(Rule(("secret",), frozenset({"moderator", "owner"})),),
        write=(Rule(("secret",), frozenset()),),
    )


@pytest.mark.parametrize(
    ("schema", "fault"),
    [
        (with_property({**TEXT, "x-unique": "yes"}), ("schema.properties.x.x-unique", "invalid")),
        (with_property({"x-unique": True}), ("schema.properties.x.x-unique", "wrong_type")),
        (with_property({"type": "array", "x-index": True}), ("schema.properties.x.x-index", "wrong_type")),
        (with_property({"type": ["string", "number"], "x-index": True}), ("schema.properties.x.x-index", "wrong_type")),
        (with_property({**TEXT, "x-search": "E"}), ("schema.properties.x.x-search", "invalid")),
        (with_property({"type": "number", "x-search": "A"}), ("schema.properties.x.x-search", "wrong_type")),
        (with_property({**TEXT, "x-ref": 3}), ("schema.properties.x.x-ref", "invalid")),
        (
            with_property({**TEXT, "x-ref": {"type": "a", "on_delete": "explode"}}),
            ("schema.properties.x.x-ref", "invalid"),
        ),
        (with_property({**TEXT, "x-read": "moderator"}), ("schema.properties.x.x-read", "invalid")),
        (with_property({**TEXT, "x-write": ["a", "a"]}), ("schema.properties.x.x-write", "invalid")),
        (with_property({**TEXT, "x-read": [1]}), ("schema.properties.x.x-read", "invalid")),
        (
            with_property({**TEXT, "x-encrypted": True, "x-unique": True}),
            ("schema.properties.x.x-unique", "contradiction"),
        ),
        (
            with_property({**TEXT, "x-encrypted": True, "x-index": True}),
            ("schema.properties.x.x-index", "contradiction"),
        ),
        (with_property({**TEXT, "x-read": [], "x-search": "A"}), ("schema.properties.x.x-search", "contradiction")),
        (
            with_property({"type": "object", "x-read": [], "properties": {"y": {**TEXT, "x-unique": True}}}),
            ("schema.properties.x.properties.y.x-unique", "contradiction"),
        ),
        (
            with_property({"type": "array", "x-read": [], "items": {**TEXT, "x-search": "A"}}),
            ("schema.properties.x.items.x-search", "contradiction"),
        ),
        (
            with_property({"type": "object", "x-encrypted": True, "properties": {"y": {"x-write": []}}}),
            ("schema.properties.x.properties.y", "contradiction"),
        ),
        (with_property({"properties": {"y": {"x-read": []}}}), ("schema.properties.x.type", "not_an_object")),
        (
            with_property({"type": "array", "items": {**TEXT, "x-unique": True}}),
            ("schema.properties.x.items.x-unique", "misplaced_keyword"),
        ),
        ({"type": "object", "x-read": []}, ("schema.x-read", "misplaced_keyword")),
        (
            {"type": "object", "$defs": {"a": {**TEXT, "x-encrypted": True}}},
            ("schema.$defs.a.x-encrypted", "misplaced_keyword"),
        ),
        (
            {"type": "object", "patternProperties": {"a": {**TEXT, "x-encrypted": True}}},
            ("schema.patternProperties.a.x-encrypted", "misplaced_keyword"),
        ),
        (with_property({"anyOf": [{"x-read": []}]}), ("schema.properties.x.anyOf.0.x-read", "misplaced_keyword")),
        (
            {"type": "object", "properties": {"a.b": {"x-read": []}}},
            ("schema.properties.a.b", "bad_name"),
        ),
    ],
    ids=str,
)
def test_what_is_refused_says_where_and_why(schema: Any, fault: tuple[str, str]) -> None:
    assert faults(schema) == [fault]


def test_a_property_may_be_called_like_a_keyword() -> None:
    assert faults({"type": "object", "properties": {"x-unique": TEXT}}) == []


def test_values_are_no_keywords() -> None:
    assert faults(with_property({"default": {"x-read": 1}, "examples": [{"x-unique": 3}]})) == []


def test_the_validator_takes_every_keyword() -> None:
    schema = with_property(
        {**TEXT, "x-unique": True, "x-search": "A", "x-ref": "a", "x-read": [], "x-write": [], "x-encrypted": False}
    )

    assert Schema(schema).accepts({"x": "a"})


KEYWORDS = st.dictionaries(
    st.sampled_from(ALL),
    st.one_of(
        st.booleans(),
        st.sampled_from(["A", "E", "project", {"type": "project"}, {"on_delete": "cascade"}, None, 3]),
        st.lists(st.sampled_from(["owner", "moderator", 1]), max_size=2),
    ),
    max_size=4,
)
TYPES = st.sampled_from([{}, TEXT, {"type": "object"}, {"type": ["string", "null"]}, {"type": "array"}, {"type": []}])
SCHEMAS = st.recursive(
    st.builds(lambda kind, words: {**kind, **words}, TYPES, KEYWORDS),
    lambda inner: st.builds(
        lambda kind, words, name, child: {**kind, **words, name: {"p": child} if name == "properties" else child},
        TYPES,
        KEYWORDS,
        st.sampled_from(["properties", "items", "not"]),
        inner,
    ),
    max_leaves=5,
)


@given(schema=SCHEMAS)
def test_whatever_a_schema_says_it_is_read_or_refused(schema: dict[str, Any]) -> None:
    whole = {"type": "object", "properties": {"x": schema}}

    try:
        refuse_bad_schema(json.loads(json.dumps(whole)))
    except ValidationFailed:
        return
    read = Keywords.of(whole)
    hidden = {rule.path for rule in read.read}
    assert not set(read.encrypted) & {*read.unique, *read.index}
    assert not any(path[:end] in hidden for path in read.unique for end in range(1, len(path) + 1))


def test_keywords_without_effect_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resources.schemas.keyword_lint.OPEN", OPEN)

    for name in set(ALL) - OPEN:
        assert faults(with_property({name: True})) == [(f"schema.properties.x.{name}", "unknown_keyword")]
