from typing import Any

import pytest
from django.test import Client

from core.api.checks import check_api_views
from core.api.throttling import headers_of
from core.ratelimit import Verdict
from core.tests.api.answers import error_of

pytestmark = [pytest.mark.django_db, pytest.mark.urls("core.tests.api.probe")]

NOTE = {"title": "Milk"}


def test_a_method_without_an_access_row_is_closed_to_all(anonymous: Client, admin: Any, client_of: Any) -> None:
    for client in (anonymous, client_of(admin)):
        response = client.put("/api/v1/notes", NOTE)

        assert response.status_code == 403
        assert error_of(response)["code"] == "PERMISSION_DENIED"


def test_who_is_not_signed_in_is_told_how_to(anonymous: Client) -> None:
    response = anonymous.delete("/api/v1/notes")

    assert response.status_code == 401
    assert error_of(response) == {"code": "NOT_AUTHENTICATED", "message": "Sign in to do this.", "details": []}
    assert response["WWW-Authenticate"] == "Bearer"


def test_anyone_signed_in_passes_where_that_is_enough(owner: Any, client_of: Any) -> None:
    assert client_of(owner).delete("/api/v1/notes").status_code == 204


def test_a_permission_is_demanded_before_the_body_is_read(owner: Any, admin: Any, client_of: Any) -> None:
    refused = client_of(owner).generic("PATCH", "/api/v1/notes", b"{", "application/json")
    allowed = client_of(admin).patch("/api/v1/notes", NOTE)

    assert refused.status_code == 403
    assert error_of(refused)["code"] == "PERMISSION_DENIED"
    assert allowed.status_code == 200


def test_a_worthless_token_is_refused_where_no_token_is_needed(anonymous: Client) -> None:
    response = anonymous.get("/api/v1/notes", headers={"authorization": "Bearer nonsense"})

    assert response.status_code == 401
    assert error_of(response)["code"] == "INVALID_TOKEN"


def test_every_answer_tells_what_is_left(anonymous: Client) -> None:
    first = anonymous.get("/api/v1/notes")
    second = anonymous.get("/api/v1/nothing")

    assert (first["RateLimit-Limit"], first["RateLimit-Remaining"], first["RateLimit-Reset"]) == ("60", "59", "1")
    assert (second["RateLimit-Limit"], second["RateLimit-Remaining"]) == ("60", "58")


def test_a_caller_has_a_bucket_of_their_own(owner: Any, client_of: Any) -> None:
    response = client_of(owner).get("/api/v1/notes")

    assert (response["RateLimit-Limit"], response["RateLimit-Remaining"]) == ("600", "599")


def test_who_asks_too_often_is_told_when_to_come_back(anonymous: Client, client_of: Any, owner: Any) -> None:
    answers = [anonymous.get("/api/v1/guarded") for _ in range(11)]

    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert error_of(answers[-1])["code"] == "RATE_LIMITED"
    assert 1 <= int(answers[-1]["Retry-After"]) <= 6
    assert answers[-1]["RateLimit-Remaining"] == "0"
    assert anonymous.get("/api/v1/notes").status_code == 200


def test_the_auth_scope_counts_by_address_whoever_asks(owner: Any, client_of: Any) -> None:
    client = client_of(owner)

    assert [client.get("/api/v1/guarded").status_code for _ in range(11)] == [200] * 10 + [429]


def test_worthless_tokens_use_up_the_bucket_of_their_address(anonymous: Client) -> None:
    headers = {"authorization": "Bearer nonsense"}

    answers = [anonymous.get("/api/v1/notes", headers=headers).status_code for _ in range(62)]

    assert answers[:60] == [401] * 60
    assert answers[61] == 429


def test_credentials_that_say_nothing_are_counted_by_address(anonymous: Client) -> None:
    response = anonymous.get("/api/v1/notes", headers={"authorization": "Basic eDp5"})

    assert response.status_code == 200
    assert (response["RateLimit-Limit"], response["RateLimit-Remaining"]) == ("60", "59")


def test_worthless_tokens_of_others_at_the_address_harm_nobody_signed_in(owner: Any, client_of: Any) -> None:
    client = client_of(owner)
    for _ in range(70):
        client.get("/api/v1/notes", headers={"authorization": "Bearer nonsense"})

    assert client.get("/api/v1/notes").status_code == 200


def test_a_verdict_is_told_in_whole_seconds() -> None:
    verdict = Verdict(allowed=False, limit=10, remaining=0, reset_after=59.2, retry_after=5.1)

    assert headers_of(verdict) == {"RateLimit-Limit": "10", "RateLimit-Remaining": "0", "RateLimit-Reset": "60"}


def test_the_system_check_finds_a_handler_that_nobody_opened() -> None:
    assert [(fault.id, fault.msg) for fault in check_api_views(None)] == [
        ("nook.E031", "/api/v1/notes: PUT does not match `access`."),
        ("nook.E031", "/api/v1/auth/notes: PUT does not match `access`."),
    ]


@pytest.mark.urls("config.urls")
def test_the_system_check_finds_nothing_in_the_product() -> None:
    assert check_api_views(None) == []
