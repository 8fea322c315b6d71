from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from core import idempotency, purge
from core.api.chunks import BodyDigest
from core.models import IdempotencyKey, OutboxRow
from core.tests.api.answers import details_of, error_of

pytestmark = [pytest.mark.django_db, pytest.mark.urls("core.tests.api.probe")]

MADE = "/api/v1/counted/made"
KEY = {"idempotency-key": "order-1:a.b_c"}


def rows() -> int:
    return OutboxRow.objects.filter(task="core.tasks.probe").count()


def test_the_same_request_gets_the_same_answer_and_one_effect(anonymous: Client) -> None:
    first = anonymous.post(MADE, headers=KEY)
    second = anonymous.post(MADE, headers=KEY)

    assert (first.status_code, second.status_code) == (202, 202)
    assert first.content == second.content
    assert "Idempotency-Replayed" not in first
    assert second["Idempotency-Replayed"] == "true"
    assert rows() == 1


def test_the_headers_of_the_answer_come_again_too(anonymous: Client) -> None:
    first = anonymous.post("/api/v1/notes", {"title": "Milk"}, headers=KEY)
    second = anonymous.post("/api/v1/notes", {"title": "Milk"}, headers=KEY)

    for name in ("Content-Type", "Location", "ETag", "Cache-Control"):
        assert first[name] == second[name]


def test_another_request_with_the_key_is_refused(anonymous: Client) -> None:
    anonymous.post("/api/v1/notes", {"title": "Milk"}, headers=KEY)

    for response in (
        anonymous.post("/api/v1/notes", {"title": "Bread"}, headers=KEY),
        anonymous.post(MADE, headers=KEY),
    ):
        assert response.status_code == 422
        assert error_of(response)["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert rows() == 0


def test_a_key_is_its_callers_own(anonymous: Client, owner: Any, stranger: Any, client_of: Any) -> None:
    for client in (anonymous, Client(REMOTE_ADDR="10.1.2.3"), client_of(owner), client_of(stranger)):
        assert "Idempotency-Replayed" not in client.post(MADE, {}, "application/json", headers=KEY)

    assert rows() == 4


def test_two_browsers_behind_one_address_never_get_each_others_answer() -> None:
    hers, his = Client(REMOTE_ADDR="10.9.8.7"), Client(REMOTE_ADDR="10.9.8.7")
    hers.cookies["session"], his.cookies["session"] = "hers", "his"

    first = hers.post("/api/v1/notes", {"title": "Milk"}, "application/json", headers=KEY)
    second = his.post("/api/v1/notes", {"title": "Milk"}, "application/json", headers=KEY)

    assert (first.status_code, second.status_code) == (201, 422)


@pytest.mark.parametrize("key", ["", " ", "a b", "é", "x" * 129, "a,b"])
def test_a_key_of_another_form_is_refused(anonymous: Client, key: str) -> None:
    response = anonymous.post(MADE, headers={"idempotency-key": key})

    assert details_of(response) == [("Idempotency-Key", "invalid")]
    assert rows() == 0


def test_a_refusal_does_not_use_up_the_key(anonymous: Client) -> None:
    refused = anonymous.post("/api/v1/notes", {"title": 5}, headers=KEY)
    done = anonymous.post("/api/v1/notes", {"title": "Milk"}, headers=KEY)

    assert (refused.status_code, done.status_code) == (400, 201)


def test_what_a_refusal_has_committed_stays(anonymous: Client) -> None:
    with_key = anonymous.post("/api/v1/counted/refused", headers=KEY)
    without_key = anonymous.post("/api/v1/counted/refused")

    assert (with_key.status_code, without_key.status_code) == (409, 409)
    assert rows() == 2
    assert IdempotencyKey.objects.count() == 0


def test_a_fault_undoes_all_and_does_not_use_up_the_key(anonymous: Client) -> None:
    anonymous.raise_request_exception = False

    response = anonymous.post("/api/v1/counted/failed", headers=KEY)

    assert response.status_code == 500
    assert rows() == 0
    assert IdempotencyKey.objects.count() == 0


def test_a_key_serves_again_after_a_day(anonymous: Client) -> None:
    anonymous.post(MADE, headers=KEY)
    IdempotencyKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    again = anonymous.post("/api/v1/notes", {"title": "Milk"}, headers=KEY)

    assert again.status_code == 201
    assert IdempotencyKey.objects.get().expires_at > timezone.now() + timedelta(hours=23)


def test_keys_whose_time_is_over_are_purged(anonymous: Client) -> None:
    anonymous.post(MADE, headers=KEY)
    anonymous.post(MADE, headers={"idempotency-key": "another"})
    IdempotencyKey.objects.filter(key="another").update(expires_at=timezone.now() - timedelta(hours=1))

    assert purge.purge()["idempotency_keys"] == 1
    assert IdempotencyKey.objects.get().key == KEY["idempotency-key"]


def test_the_kept_answer_cannot_be_read_in_the_database(anonymous: Client) -> None:
    anonymous.post("/api/v1/notes", {"title": "Milk"}, headers=KEY)

    with connection.cursor() as cursor:
        cursor.execute("SELECT answer FROM idempotency_keys")
        stored = cursor.fetchone()

    assert stored is not None
    assert "Milk" not in stored[0]


@pytest.mark.django_db(transaction=True)
def test_while_a_request_is_running_its_twin_is_refused() -> None:
    request = idempotency.Request("address:127.0.0.1", KEY["idempotency-key"], b"")

    with idempotency.claimed(request), ThreadPoolExecutor(1) as pool:
        response = pool.submit(_post_and_close).result()

    assert response.status_code == 409
    assert error_of(response) == {
        "code": "CONFLICT",
        "message": "A request with this Idempotency-Key is still running.",
        "details": [],
    }
    assert rows() == 0


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_has_an_effect() -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: _post_and_close(), range(16)))

    assert {answer.status_code for answer in answers} <= {202, 409}
    assert len({answer.content for answer in answers if answer.status_code == 202}) == 1
    assert rows() == 1


def _post_and_close() -> Any:
    try:
        return Client().post(MADE, {}, "application/json", headers=KEY)
    finally:
        connection.close()


def test_a_safe_request_ignores_the_key(anonymous: Client) -> None:
    assert anonymous.get("/api/v1/notes", headers=KEY).status_code == 200
    assert IdempotencyKey.objects.count() == 0


def test_a_trailing_slash_makes_no_other_request(anonymous: Client) -> None:
    first = anonymous.post(MADE, headers=KEY)
    second = anonymous.post(f"{MADE}/", headers=KEY)

    assert (first.content, second["Idempotency-Replayed"]) == (second.content, "true")
    assert rows() == 1


def in_parts(boundary: str, content: str) -> tuple[bytes, str]:
    part = f'Content-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n{content}'
    return f"--{boundary}\r\n{part}\r\n--{boundary}--\r\n".encode(), f'multipart/form-data; boundary="{boundary}"'


@pytest.mark.parametrize("size", [1, 3, 7, 65_536])
def test_a_body_in_parts_is_the_same_under_another_boundary(size: int) -> None:
    def digest(boundary: str, content: str) -> bytes:
        body, content_type = in_parts(boundary, content)
        made = BodyDigest(content_type)
        for start in range(0, len(body), size):
            made.update(body[start : start + size])
        return made.digest()

    assert digest("----first", "A note.") == digest("ssecond-boundary", "A note.")
    assert digest("----first", "A note.") != digest("----first", "Another.")
    assert digest("b", "A note.") != digest("b", "A note")
