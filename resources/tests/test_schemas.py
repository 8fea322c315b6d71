"""What is taken as a schema, and what is not: nothing that fetches, never ends or explodes."""

import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ValidationFailed
from resources.schemas import Schema, refuse_bad_schema, refuse_bad_workflow
from resources.schemas.ambiguity import is_ambiguous
from resources.schemas.patterns import backtracks
from resources.tests.test_types import SCHEMA, WORKFLOW


def refusals(schema: Any) -> list[tuple[str | None, str]]:
    """Return field and code of what is wrong with the schema."""
    try:
        refuse_bad_schema(schema)
    except ValidationFailed as refusal:
        return [(detail.field, detail.code) for detail in refusal.details]
    return []


def with_property(schema: Any, **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"x": schema}, **more}


def doubling(levels: int) -> dict[str, Any]:
    """Return a schema whose references, written out, double at each level."""
    definitions: dict[str, Any] = {
        f"d{level}": {"allOf": [{"$ref": f"#/$defs/d{level + 1}"}, {"$ref": f"#/$defs/d{level + 1}"}]}
        for level in range(levels)
    }
    return {"type": "object", "$ref": "#/$defs/d0", "$defs": {**definitions, f"d{levels}": {"minProperties": 1}}}


@pytest.mark.parametrize(
    ("schema", "refusal"),
    [
        ([], ("schema", "not_an_object")),
        ({}, ("schema.type", "not_an_object")),
        ({"type": "array"}, ("schema.type", "not_an_object")),
        (
            {"type": "object", "$schema": "http://json-schema.org/draft-07/schema#"},
            ("schema.$schema", "unknown_dialect"),
        ),
        (with_property({"type": "text"}), ("schema.properties.x.type", "invalid_schema")),
        (with_property({"minLength": -1}), ("schema.properties.x.minLength", "invalid_schema")),
        (with_property({"minlength": 1}), ("schema.properties.x.minlength", "unknown_keyword")),
        (with_property({"x-magic": True}), ("schema.properties.x.x-magic", "unknown_keyword")),
        (with_property({"$id": "https://example.com/x"}), ("schema.properties.x.$id", "unknown_keyword")),
        (with_property({"$ref": "https://example.com/x"}), ("schema.properties.x.$ref", "remote_reference")),
        (with_property({"$ref": "file:///etc/passwd"}), ("schema.properties.x.$ref", "remote_reference")),
        (with_property({"$ref": "#/$defs/none"}), ("schema", "dangling_reference")),
        (with_property({"$ref": "#/$defs/a%2Fb"}, **{"$defs": {"a/b": {}}}), ("schema", "dangling_reference")),
        (with_property({"$ref": "#"}), ("schema", "recursive_reference")),
        (
            with_property({"$ref": "#/$defs/a"}, **{"$defs": {"a": {"$ref": "#/$defs/a"}}}),
            ("schema", "recursive_reference"),
        ),
        (with_property({"pattern": "(a+)+\\1"}), ("schema.properties.x.pattern", "invalid_schema")),
        (with_property({"pattern": "(?=a)b"}), ("schema.properties.x.pattern", "invalid_schema")),
        (with_property({"pattern": "("}), ("schema.properties.x.pattern", "invalid_schema")),
        (with_property({"pattern": "^(a+)+$"}), ("schema.properties.x.pattern", "backtracks")),
        (with_property({"pattern": "(?:[a-z]+ ?)*"}), ("schema.properties.x.pattern", "backtracks")),
        (with_property({"pattern": "^(a|a)*$"}), ("schema.properties.x.pattern", "backtracks")),
        (
            with_property({"type": "object", "patternProperties": {"(.*|b)+": {}}}),
            ("schema.properties.x.patternProperties.(.*|b)+", "backtracks"),
        ),
        (doubling(30), ("schema", "too_much_work")),
        ({"type": "object", "description": "x" * 70_000}, ("schema", "too_large")),
    ],
    ids=str,
)
def test_what_is_refused_says_where_and_why(schema: Any, refusal: tuple[str, str]) -> None:
    started = time.monotonic()

    assert refusals(schema) == [refusal]
    assert time.monotonic() - started < 5


def test_a_schema_is_so_deep_at_most() -> None:
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(30):
        deep = with_property(deep)

    assert refusals(deep) == [("schema", "too_deep")]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        SCHEMA,
        doubling(8),
        with_property({"$ref": "#/$defs/money"}, **{"$defs": {"money": {"type": "number", "multipleOf": 0.01}}}),
        with_property({"type": "string", "format": "date", "title": "Day", "examples": ["2026-11-21"]}),
        with_property({"$ref": "#/$defs/net%20price%25"}, **{"$defs": {"net price%": {"type": "number"}}}),
    ],
    ids=str,
)
def test_ordinary_schemas_are_taken(schema: dict[str, Any]) -> None:
    assert refusals(schema) == []


@pytest.mark.parametrize(
    "pattern",
    [
        "^[0-9-]+$",
        "^(\\d+,)*\\d+$",
        "(a+b)+",
        "(ab)+",
        "[(a+)+]",
        "\\(a+\\)+",
        "(a+)?",
        "(a+){2}",
        "a+?b*?",
        "(a|b)*",
        ")+",
        "{2}",
    ],
)
def test_repeats_that_read_a_text_in_one_way_are_taken(pattern: str) -> None:
    assert not backtracks(pattern)


@pytest.mark.parametrize(
    "pattern", ["(a*)*", "((a+))+", "(a+){2,}", "(a+|b)*c", "(?P<word>\\w+)+", "((ab)*)*", "^(a+)+$"]
)
def test_repeats_of_nothing_but_repeats_are_told(pattern: str) -> None:
    assert backtracks(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        *("(a|a)*", "(.|x)*", "(a|ab|b)*", "(a{1,3})*", "(x+x+)+y", "(\\w|\\d)+", "(?i)(a|A)*", "(ab|a|b){2,}"),
        *("([a-zA-Z0-9._-]+\\.)+", "([a-z]|\\p{L})*", "^(([a-z])+.)+[A-Z]([a-z])+$"),
    ],
)
def test_repeats_that_read_a_text_in_ever_more_ways_are_told(pattern: str) -> None:
    assert is_ambiguous(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        *("^[0-9]{5}$", "a+a+", "(foo|far)*", "(ab|ac)*", "(a|b)*abb", "(\\d+,)*\\d+", "(\\p{L}+\\s)*", "[(a|a)*]"),
        *("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", "^[\\w.+-]+@[\\w-]+(\\.[\\w-]+)+$", "^[a-z0-9]+(-[a-z0-9]+)*$"),
        *("^([0-9]{1,3}\\.){3}[0-9]{1,3}$", "^#([a-f0-9]{3}){1,2}$", "\\(a|a\\)*", "", "|", "(", ")+", "[", "{2}"),
        *("(?:" + "|".join(f"x{letter}" for letter in "abcdefghijklmnopqrstuvwxyz") + ")*", "(" * 500, "(^{3}" * 39),
    ],
)
def test_repeats_that_read_a_text_in_few_ways_are_taken_in_little_time(pattern: str) -> None:
    started = time.process_time()

    assert not is_ambiguous(pattern)
    assert time.process_time() - started < 1


def test_a_pattern_takes_linear_time() -> None:
    schema = Schema(with_property({"type": "string", "pattern": "^(a+)+$"}))
    started = time.monotonic()

    assert not schema.accepts({"x": "a" * 100_000 + "b"})
    assert time.monotonic() - started < 5


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
KEYWORDS = st.sampled_from(["type", "properties", "items", "$ref", "$defs", "allOf", "pattern", "enum", "not", "x"])


@given(st.dictionaries(KEYWORDS, JSON, max_size=4))
def test_nothing_that_is_given_as_a_schema_is_a_fault(schema: dict[str, Any]) -> None:
    refusals({"type": "object", **schema})


@given(JSON)
def test_nothing_that_is_given_as_a_workflow_is_a_fault(workflow: Any) -> None:
    for candidate in (workflow, {**WORKFLOW, "transitions": workflow}, {**WORKFLOW, "states": workflow}):
        with suppress(ValidationFailed):
            refuse_bad_workflow(candidate)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"initial": "gone"}, "workflow.initial"),
        ({"states": []}, "workflow.states"),
        ({"states": ["draft", "draft"]}, "workflow.states"),
        ({"extra": 1}, "workflow.extra"),
        ({"transitions": [{"name": "send", "from": ["draft"], "to": "gone"}]}, "workflow.transitions.0.to"),
        ({"transitions": [{"name": "send", "from": "draft", "to": "sent"}]}, "workflow.transitions.0.from"),
        (
            {"transitions": [{"name": "send", "from": ["draft"], "to": "sent", "allow": ["everyone"]}]},
            "workflow.transitions.0.allow",
        ),
        ({"transitions": [WORKFLOW["transitions"][0]] * 2}, "workflow.transitions.1.name"),
    ],
    ids=str,
)
def test_a_workflow_that_cannot_be_walked_is_refused(change: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        refuse_bad_workflow({**WORKFLOW, **change})

    assert [detail.field for detail in refused.value.details] == [field]
