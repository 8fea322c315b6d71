import json
from io import BytesIO
from typing import Any

import pytest
from django.test import Client

from core.tests.api.answers import details_of, error_of

pytestmark = [pytest.mark.django_db, pytest.mark.urls("core.tests.api.probe")]

JSON = "application/json"


def deep(levels: int) -> bytes:
    return b'{"title":"x","data":' + b"[" * levels + b"]" * levels + b"}"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{'title':1}",
        b'{"title":"a",}',
        b'{"title":"a"} x',
        b'{"title":"\xff\xfe"}',
        b'\xef\xbb\xbf{"title":"a"}',
        '{"title":"a"}'.encode("utf-16"),
        b'{"title":"\xed\xa0\x80"}',
        b'{"title":"\\ud800"}',
        b'{"title":"\\udc00\\ud800"}',
        b'{"title":"a\\u0000"}',
        b'{"title":"a","data":{"\\u0000":1}}',
        b'{"title":"a","title":"b"}',
        b'{"title":"a","data":{"x":{"y":1,"y":1}}}',
        b'{"title":"a:b","title":"b"}',
        b'{"title":"a","ti\\u0074le":"b"}',
        b'{"title":"a","data":{"a\\u003a":1,"a:":2}}',
        b'{"title":"a","data":NaN}',
        b'{"title":"a","data":-Infinity}',
        b'{"title":"a","data":1e400}',
        b'{"title":"a","data":9223372036854775808}',
        b'{"title":"a","data":-9223372036854775809}',
        b'{"title":"a","data":18446744073709551616}',
        b'{"title":"a","data":100000000000000000001}',
        b'{"title":"a","data":' + b"9" * 5000 + b"}",
        deep(32),
        deep(5000),
    ],
)
def test_a_body_that_two_parsers_could_read_differently_is_refused(anonymous: Client, body: bytes) -> None:
    response = anonymous.generic("POST", "/api/v1/notes", body, JSON)

    assert response.status_code == 400
    assert error_of(response)["code"] == ("PARSE_ERROR" if body else "VALIDATION_ERROR")


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ('"a:b \\u003a {\\"c\\": 1}"', 'a:b : {"c": 1}'),
        ('{"a:":1,"a":":"}', {"a:": 1, "a": ":"}),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("1e300", 1e300),
        ("100000000000000000000", 1e20),
        ("-123456789012345680000000000000", -1.2345678901234568e29),
        ("1.0", 1.0),
        ('"\\ud83d\\ude00"', "😀"),
        ("[]", []),
        ("null", None),
    ],
)
def test_a_sound_body_is_read_as_it_is(anonymous: Client, raw: str, value: object) -> None:
    response = anonymous.generic("POST", "/api/v1/notes", f'{{"title":"x","data":{{"v":{raw}}}}}', JSON)

    assert response.status_code == 201
    assert json.loads(response.content)["data"]["data"] == {"v": value}


def test_thirty_two_levels_are_read(anonymous: Client) -> None:
    assert anonymous.generic("POST", "/api/v1/notes", deep(31), JSON).status_code == 201


def test_a_body_over_one_mebibyte_is_413(anonymous: Client) -> None:
    response = anonymous.generic("POST", "/api/v1/notes", b'{"title":"' + b"x" * 1024 * 1024 + b'"}', JSON)

    assert response.status_code == 413
    assert error_of(response) == {"code": "PAYLOAD_TOO_LARGE", "message": "The request is too large.", "details": []}


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/xml",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/jsonp",
        "nonsense",
        "",
    ],
)
def test_another_type_of_body_is_415(anonymous: Client, content_type: str) -> None:
    response = anonymous.generic("POST", "/api/v1/notes", b'{"title":"a"}', content_type)

    assert response.status_code == 415
    assert error_of(response)["code"] == "UNSUPPORTED_MEDIA_TYPE"


@pytest.mark.parametrize("content_type", ["application/json; charset=UTF-8", 'Application/JSON; charset="utf-8"'])
def test_json_in_utf_8_is_read_however_it_is_spelled(anonymous: Client, content_type: str) -> None:
    assert anonymous.generic("POST", "/api/v1/notes", b'{"title":"a"}', content_type).status_code == 201


def in_chunks(client: Client, body: bytes, **environ: Any) -> Any:
    """Send a body the way a server hands on one without a length."""
    chunked = {"wsgi.input": BytesIO(body), "CONTENT_TYPE": JSON, "HTTP_TRANSFER_ENCODING": "chunked"}
    return client.generic("POST", "/api/v1/notes", **{**chunked, **environ})


def test_a_body_in_chunks_is_read_to_its_end(anonymous: Client) -> None:
    response = in_chunks(anonymous, b'{"title":"Milk"}', **{"wsgi.input_terminated": True})

    assert response.json() == {"success": True, "data": {"title": "Milk"}}


def test_a_body_in_chunks_ends_at_one_mebibyte(anonymous: Client) -> None:
    response = in_chunks(anonymous, b" " * (1024 * 1024 + 1), **{"wsgi.input_terminated": True})

    assert response.status_code == 413


def test_a_body_in_chunks_is_refused_where_its_end_cannot_be_told(anonymous: Client) -> None:
    response = in_chunks(anonymous, b'{"title":"Milk"}')

    assert response.status_code == 400
    assert error_of(response) == {
        "code": "PARSE_ERROR",
        "message": "Send the body with a Content-Length.",
        "details": [],
    }


@pytest.mark.parametrize("body", [[], [1], "text", 5, None, True])
def test_a_body_that_is_no_object_is_refused(anonymous: Client, body: object) -> None:
    response = anonymous.generic("POST", "/api/v1/notes", json.dumps(body), JSON)

    assert [code for field, code in details_of(response) if field is None] in (["invalid"], ["null"])


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("title", 5, ("title", "invalid")),
        ("title", None, ("title", "null")),
        ("title", "", ("title", "blank")),
        ("title", "x" * 21, ("title", "max_length")),
        ("title", "a\u202eb", ("title", "hidden_characters")),
        ("title", "a\nb", ("title", "hidden_characters")),
        ("title", "a\u200bb", ("title", "hidden_characters")),
        ("text", "a\x07b", ("text", "hidden_characters")),
        ("email", "nobody", ("email", "invalid")),
        ("email", "a b@example.com", ("email", "invalid")),
        ("count", 1.5, ("count", "invalid")),
        ("count", 1.0, ("count", "invalid")),
        ("count", "1", ("count", "invalid")),
        ("count", True, ("count", "invalid")),
        ("is_open", "true", ("is_open", "invalid")),
        ("is_open", 1, ("is_open", "invalid")),
        ("ratio", "1.5", ("ratio", "invalid")),
        ("ratio", True, ("ratio", "invalid")),
        ("due_at", 5, ("due_at", "invalid")),
        ("due_at", "yesterday", ("due_at", "invalid")),
        ("kind", "c", ("kind", "invalid_choice")),
        ("kind", ["a"], ("kind", "invalid")),
        ("tags", "a", ("tags", "not_a_list")),
        ("tags", ["a", 5], ("tags.1", "invalid")),
        ("tags", ["a", "abcdef"], ("tags.1", "max_length")),
        ("lines", {"name": "a"}, ("lines", "not_a_list")),
        ("lines", [{"name": "a"}, {"price": 1}], ("lines.1.name", "required")),
        ("lines", [{"name": "a", "colour": 1}], ("lines.0.colour", "unknown_field")),
        ("lines", [5], ("lines.0", "invalid")),
        ("colour", "red", ("colour", "unknown_field")),
        ("__class__", "x", ("__class__", "unknown_field")),
    ],
)
def test_a_wrong_field_is_named_by_its_path(
    anonymous: Client, field: str, value: object, expected: tuple[str, str]
) -> None:
    response = anonymous.post("/api/v1/notes", {"title": "Milk", field: value})

    assert details_of(response) == [expected]


def test_every_fault_of_a_body_is_told_at_once(anonymous: Client) -> None:
    response = anonymous.post("/api/v1/notes", {"count": "1", "colour": 1, "kind": "c"})

    assert details_of(response) == [
        ("colour", "unknown_field"),
        ("count", "invalid"),
        ("kind", "invalid_choice"),
        ("title", "required"),
    ]


def test_what_was_read_can_be_sent_back_with_its_read_only_fields(anonymous: Client) -> None:
    body = {"id": "0193", "created_at": "2026-01-01T00:00:00Z", "title": "Milk"}

    assert anonymous.post("/api/v1/notes", body).json()["data"] == {"title": "Milk"}


def test_people_write_names_and_addresses_in_many_ways(anonymous: Client) -> None:
    response = anonymous.post("/api/v1/notes", {"title": "  Zoe\u0308 ", "email": " Zoe@Example.COM "})

    assert response.json()["data"] == {"title": "Zo\u00eb", "email": "zoe@example.com"}


@pytest.mark.parametrize("title", ["नमस्ते", "👩\u200d💻", "O'Brien; DROP TABLE"])
def test_names_of_every_script_are_taken(anonymous: Client, title: str) -> None:
    assert anonymous.post("/api/v1/notes", {"title": title}).json()["data"] == {"title": title}


def test_a_body_for_an_operation_that_takes_none_is_refused(anonymous: Client) -> None:
    response = anonymous.post("/api/v1/counted/made", {"colour": "red"})

    assert details_of(response) == [("colour", "unknown_field")]
