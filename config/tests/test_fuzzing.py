"""No input makes a 500: random requests made from the OpenAPI document, sound ones and broken ones.

`FUZZ_EXAMPLES=2000 pytest config/tests/test_fuzzing.py` looks deeper than the suite does each time.
"""

import json
import os
import re
from functools import cache
from typing import Any

import jsonschema_rs
import orjson
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from config.tests.operations import BOUNDARY, Operation, Stage, areas, undone
from config.tests.test_hostile_inputs import is_sound
from core.api.documentation import as_json

pytestmark = pytest.mark.django_db

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "25"))
# The document does not describe itself.
ALL = {area: found for area, found in areas().items() if area != "schema"}
WRITES = areas("POST", "PUT", "PATCH")

REFERENCE = re.compile(r'"#/components/schemas/([^"/]+)"')
PARAMETERS = ["page", "per_page", "cursor", "sort", "fields", "include", "q", "tag", "owner", "type"]
HEADERS = ["IF_MATCH", "IF_NONE_MATCH", "IDEMPOTENCY_KEY", "ACCEPT", "COOKIE", "TRACEPARENT", "X_REQUEST_ID"]

fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64)
    | st.floats(allow_nan=False)
    | st.text(st.characters(), max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


@pytest.fixture
def stage(settings: Any) -> Stage:
    settings.RATE_LIMIT_SCALE = 100_000
    return Stage()


@pytest.fixture
def ask(stage: Stage, admin: Any) -> Any:
    """Send one request as an administrator in a session of its own; return the answer, its effects undone."""

    def ask(operation: Operation, body: bytes, **parts: Any) -> Any:
        with undone():
            path = parts.pop("path", None) or stage.path(operation)
            content_type = parts.pop("content_type", "application/json")
            return stage.client(admin).generic(operation.method, path, body, content_type, **parts)

    return ask


@pytest.fixture(scope="module")
def document() -> Any:
    schema = schemathesis.openapi.from_dict(orjson.loads(as_json()))
    schema.config.generation.update(modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
    return schema


@pytest.mark.parametrize("area", ALL)
def test_a_sound_request_is_answered_as_the_document_says(ask: Any, stage: Stage, area: str) -> None:
    for operation in ALL[area]:
        body, content_type = stage.content(operation)
        response = ask(operation, body, content_type=content_type)

        assert departures(operation, response) == [], str(operation)


@pytest.mark.parametrize("area", ALL)
def test_requests_made_from_the_document_are_answered(ask: Any, stage: Stage, document: Any, area: str) -> None:
    for operation in ALL[area]:
        _fuzz_from_document(ask, stage, operation, document[operation.path][operation.method].as_strategy())


def _fuzz_from_document(ask: Any, stage: Stage, operation: Operation, cases: st.SearchStrategy[Any]) -> None:
    @fuzzed
    @given(case=cases, is_aimed=st.booleans())
    def answered(case: Any, is_aimed: bool) -> None:
        path = stage.path(operation) if is_aimed else case.formatted_path
        body, content_type = _encoded(case.body, stage.content(operation)[1])
        headers = {name: str(value) for name, value in (case.headers or {}).items() if name != "Authorization"}
        extra: dict[str, Any] = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
        query = case.query if isinstance(case.query, dict) else {}

        response = ask(operation, body, content_type=content_type, path=path, query_params=query, **extra)

        assert is_sound(response), (str(operation), response.content)
        assert departures(operation, response) == [], str(operation)

    answered()


@pytest.mark.parametrize("area", WRITES)
def test_any_json_in_any_field_is_answered(ask: Any, stage: Stage, area: str) -> None:
    names = sorted({name for operation in WRITES[area] for name in stage.body(operation)})

    @fuzzed
    @given(st.sampled_from(WRITES[area]), st.dictionaries(st.sampled_from([*names, "x"]), json_values, max_size=3))
    def answered(operation: Operation, changes: dict[str, Any]) -> None:
        response = ask(operation, _as_json({**stage.body(operation), **changes}))

        assert is_sound(response), (str(operation), response.content)

    answered()


@pytest.mark.parametrize("area", WRITES)
def test_any_bytes_of_any_type_are_answered(ask: Any, area: str) -> None:
    types = st.sampled_from(["application/json", "text/plain", "multipart/form-data; boundary=x"]) | st.text(
        st.characters(min_codepoint=32, max_codepoint=126), max_size=40
    )

    @fuzzed
    @given(st.sampled_from(WRITES[area]), st.binary(max_size=200), types)
    def answered(operation: Operation, body: bytes, content_type: str) -> None:
        assert is_sound(ask(operation, body, content_type=content_type)), str(operation)

    answered()


@pytest.mark.parametrize("area", ALL)
def test_any_parameter_and_any_header_is_answered(ask: Any, stage: Stage, area: str) -> None:
    texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
    # What a server lets through as the value of a header.
    values = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60)
    queries = st.dictionaries(st.sampled_from(PARAMETERS) | texts, texts, max_size=4)

    @fuzzed
    @given(st.sampled_from(ALL[area]), queries, st.dictionaries(st.sampled_from(HEADERS), values, max_size=3))
    def answered(operation: Operation, query: dict[str, str], headers: dict[str, str]) -> None:
        extra: dict[str, Any] = {f"HTTP_{name}": value for name, value in headers.items()}

        body, content_type = stage.content(operation)
        response = ask(operation, body, content_type=content_type, query_params=query, **extra)

        assert is_sound(response), (str(operation), response.content)

    answered()


def departures(operation: Operation, response: Any) -> list[str]:
    """Return how the answer differs from what the document says of it."""
    validator = _validator(operation, str(response.status_code))
    if validator is None:
        return [f"{response.status_code} is not documented"]
    if response.headers.get("Content-Type") != "application/json":
        return []
    return [str(error) for error in validator.iter_errors(response.json())]


@cache
def _validator(operation: Operation, status: str) -> Any:
    described = _document()["paths"][operation.path][operation.method.lower()]["responses"].get(status)
    if described is None:
        return None
    schema = described.get("content", {}).get("application/json", {}).get("schema", {})
    return jsonschema_rs.Draft202012Validator({**schema, "components": {"schemas": _schemas_under(schema)}})


@cache
def _document() -> Any:
    return orjson.loads(as_json())


def _schemas_under(schema: Any) -> dict[str, Any]:
    """Return what the schema refers to: with the whole document, a thousand validators would be gigabytes."""
    schemas, found, rest = _document()["components"]["schemas"], {}, [schema]
    while rest:
        for name in REFERENCE.findall(orjson.dumps(rest.pop()).decode()):
            if name not in found:
                found[name] = schemas[name]
                rest.append(schemas[name])
    return found


def _encoded(body: Any, content_type: str) -> tuple[bytes, str]:
    """Return a made-up body as the operation takes it: JSON, or parts of which each is a file."""
    if isinstance(body, bytes):
        return body, content_type
    if "multipart" in content_type and isinstance(body, dict):
        parts = [
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="a"\r\n\r\n{value}\r\n'
            for name, value in body.items()
        ]
        return f"{''.join(parts)}--{BOUNDARY}--\r\n".encode("utf-8", "surrogatepass"), content_type
    return _as_json(body), content_type


def _as_json(value: Any) -> bytes:
    """Return the value as JSON, as a client without our limits would write it."""
    if value is None or type(value).__name__ == "NotSet":
        return b""
    return json.dumps(value, ensure_ascii=False, default=str).encode("utf-8", "surrogatepass")
