"""No input makes a 500: what people have found to break servers like this one, on every operation.

Random input is in test_fuzzing.py; this is the list by hand.
"""

from typing import Any

import orjson
import pytest

from config.tests.cast import ApiClient
from config.tests.operations import Operation, Stage, areas, undone

pytestmark = pytest.mark.django_db

ALL = areas()
WRITES = areas("POST", "PUT", "PATCH")
POSTS = areas("POST")

BODIES: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"{",
    "a word": b"nonsense",
    "null": b"null",
    "a list": b"[]",
    "a number": b"1",
    "a list of itself": b'[{"name":[{"name":[]}]}]',
    "bytes": bytes(range(256)),
    "UTF-16": '{"name":"a"}'.encode("utf-16"),
    "UTF-8 cut short": '{"name":"é"}'.encode()[:-3],
    "byte order mark": b'\xef\xbb\xbf{"name":"a"}',
    "deep": b"[" * 100_000,
    "deep objects": b'{"a":' * 1000 + b"1" + b"}" * 1000,
    "duplicate keys": b'{"name":"a","name":"b"}',
    "proto": b'{"__proto__":{"admin":true},"constructor":1,"__class__":"x"}',
    "empty key": b'{"":1}',
    "dots": b'{"name.first":"a","data":{"a.b":{"$ref":"x"},"$where":"1"}}',
    "huge integer": b'{"name":' + b"9" * 5000 + b"}",
    "infinite": b'{"data":1e400,"name":"a"}',
    "NaN": b'{"data":NaN,"name":"a"}',
    "one mebibyte and one": b'{"name":"' + b"a" * 1024 * 1024 + b'"}',
}
VALUES: dict[str, Any] = {
    "null": None,
    "true": True,
    "one and a half": 1.5,
    "the least integer": -(2**63),
    "the greatest integer": 2**63 - 1,
    "an empty text": "",
    "spaces": "   ",
    "a long text": "a" * 70_000,
    "a lone surrogate pair": "😀",
    "an override": "a\u202eb",
    "a line": "a\r\nBcc: x@example.com",
    "a null byte, escaped twice": "\\u0000",
    "a wildcard": "%_\\",
    "a quote": "';--",
    "a template": "{{7*7}}${7*7}<script>",
    "a path": "../../etc/passwd",
    "a list": [],
    "a nested list": [[[[]]]],
    "an object": {},
    "an object with odd keys": {"": 1, "a.b": 2, "__class__": 3, "é": [None]},
    "a date": "9999-12-31T23:59:59.999999Z",
    "an impossible date": "2026-02-30T25:61:61Z",
}
QUERIES = [
    "page=1e9",
    "page=99999999999999999999",
    "page=-1",
    "page=1&page=2",
    "per_page=0",
    "per_page=999999999999",
    "sort=__class__",
    "sort=-",
    "sort=,,,",
    "sort=id;DROP TABLE users",
    "sort=" + "a," * 5000,
    "fields=__class__,password",
    "fields=.",
    "fields=data..a",
    "fields=data." + "a." * 400,
    "include=password",
    "cursor=",
    "cursor=abc",
    "cursor=" + "A" * 5000,
    "cursor=%00",
    "cursor==&cursor=",
    "q=%00",
    "q=%",
    "q='\"\\!&|:*()",
    "q=" + "(" * 200,
    "q=%F0%9F%98%80%E2%80%AE",
    "q=" + "a" * 100_000,
    "tag=" + "&tag=".join("x" * 40),
    "owner=me&owner=me",
    "owner=__class__",
    "created_after=0001-01-01T00:00:00%2B23:59",
    "created_after=9999-12-31T23:59:59-23:59",
    "created_before=infinity",
    "is_active=maybe",
    "role=%FF%FE",
    "email=%00",
    "type=\ud83d".encode("utf-8", "surrogatepass").decode("latin-1"),
    "status[]=1",
    "a=1&" * 1200,
    "%00=%00",
    "=",
    "&&&",
    "%",
    "%zz=%zz",
    "__class__=x",
    "data.a__regex=(a%2B)%2B$",
    "data__a__gt=1",
    "permanent=perhaps",
    "format=xml",
]
HEADERS: list[dict[str, str]] = [
    {"authorization": "Bearer"},
    {"authorization": "Bearer \x7f"},
    {"authorization": "Bearer " + "a" * 20_000},
    {"authorization": "Bearer a.b.c"},
    {"authorization": "Bearer eyJhbGciOiJub25lIn0.e30."},
    {"authorization": "Basic Og=="},
    {"authorization": "\xff\xfe"},
    {"accept": "a/b;q=x;q=y, ,;/"},
    {"accept-language": "x" * 5000},
    {"accept-encoding": "gzip;q=nan, ,br"},
    {"content-type": "application/json; charset=utf-7"},
    {"content-type": "multipart/form-data"},
    {"content-type": "multipart/form-data; boundary=" + "a" * 500},
    {"content-type": "text/html\xff"},
    {"content-length": "abc"},
    {"content-length": "-1"},
    {"if-match": "\xff"},
    {"if-match": '"' * 5000},
    {"if-none-match": ",,,W/"},
    {"idempotency-key": "\xff"},
    {"idempotency-key": "a" * 5000},
    {"x-request-id": "a b\x01"},
    {"traceparent": "00-zz"},
    {"x-forwarded-for": "1.2.3.4, ::1, nonsense, \xff"},
    {"x-forwarded-host": "evil.example"},
    {"x-http-method-override": "DELETE"},
    {"host": "evil.example"},
    {"host": "[::1"},
    {"host": "a" * 300},
    {"host": "testserver:port"},
    {"cookie": "a=b; =; \xff; __Host-nook_refresh=\x01"},
    {"user-agent": "\x1b[31m\xff" + "a" * 5000},
    {"range": "bytes=0-1,5-"},
    {"expect": "100-continue"},
    {"transfer-encoding": "chunked"},
]
SEGMENTS = [
    "x",
    "0",
    "-1",
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "999999999999999999999999",
    "2147483648",
    "9223372036854775808",
    "%00",
    "%FF",
    "..",
    "%2e%2e%2f",
    "me%20",
    "{}",
    "a" * 5000,
]


@pytest.fixture
def stage(settings: Any) -> Stage:
    settings.RATE_LIMIT_SCALE = 1000
    return Stage()


@pytest.fixture
def client(stage: Stage, admin: Any) -> ApiClient:
    return stage.client(admin)


def is_sound(response: Any) -> bool:
    """Return whether the answer is no fault of ours and, being an error, in the envelope."""
    if response.status_code < 400:
        return True
    body = response.json()
    error = body["error"]
    assert response.headers["X-Request-ID"] == error["request_id"]
    assert body.keys() == {"success", "error"}
    assert error.keys() == {"code", "message", "details", "request_id"}
    return bool(response.status_code < 500)


def send(client: ApiClient, stage: Stage, operation: Operation, body: bytes | None = None, **extra: Any) -> Any:
    """Return the answer to one request whose effects are undone."""
    path = extra.pop("path", None) or stage.path(operation)
    with undone():
        sound, content_type = stage.content(operation)
        return client.generic(operation.method, path, sound if body is None else body, content_type, **extra)


@pytest.mark.parametrize("area", WRITES)
def test_no_body_makes_a_fault(stage: Stage, client: ApiClient, area: str) -> None:
    unsound = [
        (str(operation), name)
        for operation in WRITES[area]
        for name, body in BODIES.items()
        if not is_sound(send(client, stage, operation, body))
    ]

    assert unsound == []


@pytest.mark.parametrize("area", WRITES)
def test_no_value_of_a_field_makes_a_fault(stage: Stage, client: ApiClient, area: str) -> None:
    unsound = [
        (str(operation), field, name)
        for operation in WRITES[area]
        for field in stage.body(operation)
        for name, value in VALUES.items()
        if not is_sound(send(client, stage, operation, orjson.dumps({**stage.body(operation), field: value})))
    ]

    assert unsound == []


@pytest.mark.parametrize("area", ALL)
def test_no_query_makes_a_fault(stage: Stage, client: ApiClient, area: str) -> None:
    unsound = [
        (str(operation), query)
        for operation in ALL[area]
        for query in QUERIES
        if not is_sound(send(client, stage, operation, QUERY_STRING=query))
    ]

    assert unsound == []


@pytest.mark.parametrize("area", ALL)
def test_no_header_makes_a_fault(stage: Stage, admin: Any, area: str) -> None:
    unsound = []
    for operation in ALL[area]:
        for headers in HEADERS:
            environ: dict[str, Any] = {_environ_name(name): value for name, value in headers.items()}
            if not is_sound(send(stage.client(admin), stage, operation, **environ)):
                unsound.append((str(operation), headers))

    assert unsound == []


@pytest.mark.parametrize("area", ALL)
def test_no_path_makes_a_fault(stage: Stage, client: ApiClient, area: str) -> None:
    paths = [
        (operation, operation.path.format_map({**stage.values, name: segment}))
        for operation in ALL[area]
        for name in stage.values
        for segment in SEGMENTS
        if f"{{{name}}}" in operation.path
    ]

    unsound = [path for operation, path in paths if not is_sound(send(client, stage, operation, path=path))]

    assert unsound == []


@pytest.mark.parametrize("area", POSTS)
def test_any_post_can_be_sent_again_under_its_key(stage: Stage, client: ApiClient, area: str) -> None:
    headers = {"idempotency-key": "the-same"}
    for operation in POSTS[area]:
        path, content = stage.path(operation), stage.content(operation)

        with undone():
            first = client.generic("POST", path, *content, headers=headers)
            second = client.generic("POST", path, *content, headers=headers)

        assert is_sound(first), str(operation)
        if first.status_code < 300 and "logout" not in path:
            assert (second.status_code, second.content) == (first.status_code, first.content), str(operation)
            assert second["Idempotency-Replayed"] == "true", str(operation)
        else:
            assert "Idempotency-Replayed" not in second, str(operation)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "FOO"])
@pytest.mark.parametrize("path", ["/api", "/api/", "/api/v1", "/api/v2/users", "/api/v1/users/../roles", "/api/%00"])
def test_odd_paths_and_methods_are_answered(anonymous: ApiClient, method: str, path: str) -> None:
    response = anonymous.generic(method, path)

    assert response.status_code < 500
    assert method == "HEAD" or is_sound(response)


def _environ_name(header: str) -> str:
    name = header.upper().replace("-", "_")
    return name if name in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{name}"
