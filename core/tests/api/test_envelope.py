import gc
from collections.abc import Iterator

import pytest
from django.test import Client

from core.api.views import ApiView
from core.tests.api.answers import error_of
from core.tests.api.probe import FAULTS, Racing

pytestmark = [pytest.mark.django_db, pytest.mark.urls("core.tests.api.probe")]

NOT_FOUND = {"code": "NOT_FOUND", "message": "There is no such thing.", "details": []}
UNAVAILABLE = {
    "code": "SERVICE_UNAVAILABLE",
    "message": "This is not available at the moment; try again later.",
    "details": [],
}


def test_an_answer_is_enveloped_with_times_in_utc_and_microseconds(anonymous: Client) -> None:
    response = anonymous.get("/api/v1/notes")

    assert response.status_code == 200
    assert response.json() == {"success": True, "data": {"at": "2026-01-02T00:00:00.000000Z", "caller": None}}
    assert response["Cache-Control"] == "private, no-cache"


def test_json_from_the_database_is_passed_on_in_the_envelope(anonymous: Client) -> None:
    response = anonymous.get("/api/v1/raw")

    assert response.content == b'{"success":true,"data":[{"id":1}],"meta":{"per_page":20}}'


@pytest.mark.parametrize("path", ["/api/v9/notes", "/api/v1/nothing", "/api/v1/nothing/", "/api/x", "/api/v1/"])
def test_an_unknown_path_is_an_enveloped_404(anonymous: Client, path: str) -> None:
    response = anonymous.post(path, {})

    assert response.status_code == 404
    assert error_of(response) == NOT_FOUND
    assert response["RateLimit-Limit"] == "60"


def test_an_unknown_path_is_enveloped_in_debug_mode_too(anonymous: Client, settings: object) -> None:
    settings.DEBUG = True  # type: ignore[attr-defined]  # pytest-django's fixture has no public type

    assert error_of(anonymous.get("/api/v1/nothing")) == NOT_FOUND


def test_a_trailing_slash_is_answered_like_the_path_without(anonymous: Client) -> None:
    response = anonymous.post("/api/v1/notes/", {"title": "Milk"})

    assert response.status_code == 201
    assert response.json()["data"] == {"title": "Milk"}


@pytest.mark.parametrize("debug", [False, True])
def test_a_wrong_host_is_an_enveloped_400(anonymous: Client, settings: object, debug: bool) -> None:
    settings.DEBUG = debug  # type: ignore[attr-defined]  # as above

    response = anonymous.get("/api/v1/notes", headers={"host": "evil.example"})

    assert response.status_code == 400
    assert error_of(response) == {"code": "VALIDATION_ERROR", "message": "The request is malformed.", "details": []}


def test_a_method_without_a_handler_is_a_405_that_names_the_others(anonymous: Client) -> None:
    response = anonymous.post("/api/v1/raw", {})

    assert response.status_code == 405
    assert error_of(response)["code"] == "METHOD_NOT_ALLOWED"
    assert response["Allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND"])
def test_an_odd_method_is_a_405(anonymous: Client, method: str) -> None:
    response = anonymous.generic(method, "/api/v1/raw")

    assert response.status_code == 405


def test_head_answers_like_get_without_a_body(anonymous: Client) -> None:
    response = anonymous.head("/api/v1/notes")

    assert (response.status_code, response.content) == (200, b"")


def test_options_lists_the_methods(anonymous: Client) -> None:
    response = anonymous.options("/api/v1/raw")

    assert (response.status_code, response.content) == (204, b"")
    assert response["Allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize("accepted", ["text/html", "application/xml;q=0.9", "", "///"])
def test_a_client_that_takes_no_json_gets_406(anonymous: Client, accepted: str) -> None:
    response = anonymous.get("/api/v1/notes", headers={"accept": accepted})

    assert response.status_code == 406
    assert error_of(response)["code"] == "NOT_ACCEPTABLE"


@pytest.mark.parametrize(
    "accepted", ["*/*", "application/json", "text/html, application/*;q=0.1", "application/json; indent=4"]
)
def test_a_client_that_takes_json_among_others_gets_it(anonymous: Client, accepted: str) -> None:
    assert anonymous.get("/api/v1/notes", headers={"accept": accepted}).status_code == 200


def test_a_fault_of_ours_tells_nothing_of_its_cause(anonymous: Client) -> None:
    anonymous.raise_request_exception = False

    response = anonymous.get("/api/v1/faulty/fault")

    assert response.status_code == 500
    assert error_of(response) == {
        "code": "INTERNAL_ERROR",
        "message": "Something went wrong on our side.",
        "details": [],
    }
    assert b"secret" not in response.content


@pytest.mark.parametrize(
    ("fault", "status", "code", "detail"),
    [
        ("http404", 404, "NOT_FOUND", None),
        ("lookup", 404, "NOT_FOUND", None),
        ("suspicious", 400, "VALIDATION_ERROR", None),
        ("throttled", 429, "RATE_LIMITED", None),
        ("unique", 409, "CONFLICT", ("name", "unique")),
        ("missing", 400, "VALIDATION_ERROR", ("role", "does_not_exist")),
        ("in_use", 409, "CONFLICT", None),
        ("null", 400, "VALIDATION_ERROR", ("description", "null")),
        ("range", 400, "VALIDATION_ERROR", (None, "invalid")),
        ("nul", 400, "VALIDATION_ERROR", (None, "invalid")),
        ("timeout", 503, "SERVICE_UNAVAILABLE", None),
        ("read_only", 503, "SERVICE_UNAVAILABLE", None),
    ],
)
def test_every_known_error_has_its_answer(
    anonymous: Client, owner: object, fault: str, status: int, code: str, detail: tuple[str | None, str] | None
) -> None:
    response = anonymous.get(f"/api/v1/faulty/{fault}")

    error = error_of(response)
    assert (response.status_code, error["code"]) == (status, code)
    assert [(entry["field"], entry["code"]) for entry in error["details"]] == ([detail] if detail else [])


def test_an_overloaded_database_says_when_to_come_back(anonymous: Client) -> None:
    response = anonymous.get("/api/v1/faulty/timeout")

    assert error_of(response) == UNAVAILABLE
    assert response["Retry-After"] == "5"


def test_a_broken_statement_of_ours_is_a_fault(anonymous: Client) -> None:
    anonymous.raise_request_exception = False

    assert anonymous.get("/api/v1/faulty/syntax").status_code == 500


@pytest.fixture
def attempts() -> Iterator[list[str]]:
    yield Racing.attempts
    Racing.attempts.clear()


def test_a_safe_request_that_lost_a_race_is_run_again(anonymous: Client, attempts: list[str]) -> None:
    assert anonymous.get("/api/v1/racing/2").status_code == 200
    assert len(attempts) == 3


def test_a_safe_request_is_not_run_again_for_ever(anonymous: Client, attempts: list[str]) -> None:
    response = anonymous.get("/api/v1/racing/9")

    assert error_of(response) == UNAVAILABLE
    assert len(attempts) == 3


def test_a_write_that_lost_a_race_is_left_to_the_client(anonymous: Client, attempts: list[str]) -> None:
    response = anonymous.post("/api/v1/racing/1")

    assert error_of(response) == UNAVAILABLE
    assert response["Retry-After"] == "5"
    assert len(attempts) == 1


def test_every_fault_of_the_probe_is_tried() -> None:
    assert len(FAULTS) == 14


def test_secrets_are_never_stored_by_a_cache_nor_compressed(anonymous: Client) -> None:
    response = anonymous.get("/api/v1/secret", headers={"accept-encoding": "gzip"})

    assert response["Cache-Control"] == "no-store"
    assert "Content-Encoding" not in response


def test_paths_under_auth_are_never_stored_by_a_cache(anonymous: Client) -> None:
    assert anonymous.get("/api/v1/auth/notes")["Cache-Control"] == "no-store"


def test_a_long_answer_is_compressed_for_a_client_that_asks(anonymous: Client) -> None:
    response = anonymous.get("/api/v1/schema", headers={"accept-encoding": "gzip"})

    assert response["Content-Encoding"] == "gzip"


def test_a_short_answer_is_not_compressed(anonymous: Client) -> None:
    assert "Content-Encoding" not in anonymous.get("/api/v1/notes", headers={"accept-encoding": "gzip"})


def test_a_retiring_endpoint_says_so(anonymous: Client) -> None:
    response = anonymous.get("/api/v1/secret")

    assert response["Deprecation"] == "@1767225600"
    assert response["Sunset"] == "Fri, 01 Jan 2027 00:00:00 GMT"
    assert response["Link"] == '</api/v1/notes>; rel="successor-version"'


def test_the_versions_are_listed(anonymous: Client) -> None:
    response = anonymous.get("/api/")

    assert response.json()["data"] == [
        {"version": "v1", "state": "current", "path": "/api/v1", "deprecated_at": None, "sunset_at": None}
    ]


def test_nothing_of_an_answered_request_waits_for_the_collector(anonymous: Client) -> None:
    gc.collect()
    # Those that other tests in this process still hold stay with them.
    before = views_in_memory()
    gc.disable()
    try:
        for _ in range(3):
            anonymous.get("/api/v1/notes")
        left = [one for one in views_in_memory() if not any(one is other for other in before)]
    finally:
        gc.enable()

    assert left == []


def views_in_memory() -> list[object]:
    # By its type: `isinstance` would wake lazy objects that other tests have left.
    return [one for one in gc.get_objects() if issubclass(type(one), ApiView)]
