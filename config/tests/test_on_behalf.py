"""An administrator in somebody's place, at every operation: both names on every event, nothing that lasts."""

from typing import Any

import orjson
import pytest
from pytest_django import Settings

from accounts.models import User
from accounts.tests.factories import start_stay
from config.tests.cast import ApiClient
from config.tests.operations import Operation, Stage, operations, undone
from config.tests.permission_matrix import BLIND_TO_TOKENS
from core.models import Event

pytestmark = pytest.mark.django_db

# What a token of an administrator in somebody's place may still ask for under /auth/, beside reading.
OPEN = frozenset({"POST /api/v1/auth/logout"})


@pytest.fixture
def stage(settings: Settings) -> Stage:
    settings.RATE_LIMIT_SCALE = 1000
    return Stage()


def in_place_of(user: User, admin: User) -> ApiClient:
    return ApiClient(start_stay(admin, user).access_token, raise_request_exception=False)


def call(client: ApiClient, stage: Stage, operation: Operation) -> Any:
    body = orjson.dumps(stage.body(operation))
    return client.generic(operation.method, stage.path(operation), body, "application/json")


@pytest.mark.parametrize("operation", [one for one in operations() if str(one) not in BLIND_TO_TOKENS], ids=str)
def test_every_event_bears_both_names_and_nothing_that_signs_in_is_changed(
    stage: Stage, admin: User, operation: Operation
) -> None:
    client = in_place_of(stage.target, admin)
    last = Event.objects.latest("seq").seq
    secured = "/auth/" in operation.path and operation.method != "GET" and str(operation) not in OPEN

    with undone():
        response = call(client, stage, operation)
        told = list(Event.objects.filter(seq__gt=last))

    assert response.status_code < 500
    assert {(event.actor, event.on_behalf_of) for event in told} <= {(admin.pk, stage.target.pk)}, told
    if secured:
        assert (response.status_code, told) == (403, [])
    if response.status_code < 400 and operation.path.startswith("/api/v1/"):
        assert response.headers["X-Impersonated-By"] == str(admin.pk)


def test_each_app_has_written_something(stage: Stage, moderator: User, admin: User) -> None:
    client = in_place_of(moderator, admin)
    last = Event.objects.latest("seq").seq

    for method, path, body in (
        ("PATCH", "/profile", {"name": "Changed"}),
        ("POST", "/users", {"email": "new@example.com", "name": "New", "invite": True}),
        ("POST", "/resources", {"name": "New"}),
        ("POST", "/auth/logout", {}),
    ):
        answer = client.generic(method, f"/api/v1{path}", orjson.dumps(body), "application/json")
        assert answer.status_code < 300, answer.content

    told = list(Event.objects.filter(seq__gt=last))
    assert {event.type.partition(".")[0] for event in told} == {"user", "resource", "session", "impersonation"}
    assert {(event.actor, event.on_behalf_of) for event in told} == {(admin.pk, moderator.pk)}
