from typing import Any

import pytest
from django.test import Client

from core.tests.api.answers import error_of

pytestmark = [pytest.mark.django_db, pytest.mark.urls("core.tests.api.probe")]


def test_an_entity_carries_its_version(anonymous: Client) -> None:
    assert anonymous.get("/api/v1/versioned")["ETag"] == '"3"'


@pytest.mark.parametrize("tags", ['"3"', 'W/"3"', '"1", "3"', "*", '"1",W/"3"'])
def test_a_version_that_is_known_is_not_sent_again(anonymous: Client, tags: str) -> None:
    response = anonymous.get("/api/v1/versioned", headers={"if-none-match": tags})

    assert (response.status_code, response.content) == (304, b"")
    assert response["ETag"] == '"3"'
    assert response["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize("tags", ['"2"', "3", "", '"33"'])
def test_another_version_is_sent(anonymous: Client, tags: str) -> None:
    assert anonymous.get("/api/v1/versioned", headers={"if-none-match": tags}).status_code == 200


@pytest.mark.parametrize("tags", ['"2"', "3", "", 'W/"2", "4"'])
def test_a_write_to_another_version_is_refused(anonymous: Client, tags: str) -> None:
    response = anonymous.put("/api/v1/versioned", headers={"if-match": tags})

    assert response.status_code == 412
    assert error_of(response) == {
        "code": "PRECONDITION_FAILED",
        "message": "This was changed in the meantime; read it again.",
        "details": [],
    }


@pytest.mark.parametrize("headers", [{}, {"if-match": '"3"'}, {"if-match": 'W/"3"'}, {"if-match": "*"}])
def test_a_write_to_the_version_that_was_read_is_done(anonymous: Client, headers: dict[str, str]) -> None:
    response = anonymous.put("/api/v1/versioned", headers=headers)

    assert (response.status_code, response["ETag"]) == (200, '"4"')


@pytest.mark.parametrize("tags", ['"1"', 'W/"1"', '"1", "2"', "1"])
def test_what_has_no_version_is_no_version_that_somebody_may_mean(client_of: Any, owner: Any, tags: str) -> None:
    client = client_of(owner)

    refused = client.delete("/api/v1/notes", headers={"if-match": tags})

    assert (refused.status_code, error_of(refused)["code"]) == (412, "PRECONDITION_FAILED")
    assert client.delete("/api/v1/notes", headers={"if-match": "*"}).status_code == 204
    assert client.delete("/api/v1/notes").status_code == 204


def test_who_may_not_write_is_told_that_first(anonymous: Client) -> None:
    assert anonymous.delete("/api/v1/notes", headers={"if-match": '"1"'}).status_code == 401
