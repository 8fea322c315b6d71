"""How many statements each operation costs: recorded in query_counts.json, and the same however many rows there are.

A change shows in review: `RECORD_QUERY_COUNTS=1 pytest config/tests/test_query_counts.py` writes the file anew.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Role, User
from accounts.tests.factories import create_connection, create_session, create_user
from config.tests.cast import ApiClient
from config.tests.operations import Operation, Stage, operations, undone
from resources.models import Resource, SavedView

pytestmark = pytest.mark.django_db

RECORDED = Path(__file__).with_name("query_counts.json")
IS_RECORDING = "RECORD_QUERY_COUNTS" in os.environ
LISTS = [
    "/api/v1/users",
    "/api/v1/roles",
    "/api/v1/auth/sessions",
    "/api/v1/auth/oauth/connections",
    "/api/v1/resources",
    "/api/v1/resources?cursor=",
    "/api/v1/resources?q=target",
    "/api/v1/resources?include=owner,files",
    "/api/v1/resources?include=shares",
    "/api/v1/resources?include=comments",
    "/api/v1/resources/{resource_id}/shares",
    "/api/v1/resources/trash",
    "/api/v1/resources/{resource_id}/versions",
    "/api/v1/resources/{resource_id}/comments",
    "/api/v1/saved-views",
    "/api/v1/audit",
    "/api/v1/users/me/activity",
    "/api/v1/resources/{resource_id}/events",
    "/api/v1/tags",
]
MANY = 100


@pytest.fixture
def stage(settings: Any) -> Stage:
    settings.RATE_LIMIT_SCALE = 1000
    # Which request happens to read the session anew shall not matter.
    settings.AUTHENTICATION_SNAPSHOT_SECONDS = 3600
    return Stage()


@pytest.fixture
def client(stage: Stage, admin: User) -> ApiClient:
    client = stage.client(admin)
    client.get("/api/v1/users/me")
    return client


def cost(client: ApiClient, method: str, path: str, body: bytes = b"{}", content_type: str = "application/json") -> int:
    """Return how many statements a request sends once the process is warm; the tests' savepoints are left out."""
    for _ in range(2):
        with undone(), CaptureQueriesContext(connection) as sent:
            response = client.generic(method, path, body, content_type)
        assert response.status_code < 500
    return sum("SAVEPOINT" not in query["sql"] for query in sent)


def test_the_costs_are_the_recorded_ones(stage: Stage, client: ApiClient) -> None:
    found = {
        str(operation): cost(client, operation.method, stage.path(operation), *stage.content(operation))
        for operation in operations()
    }

    if IS_RECORDING:
        RECORDED.write_text(json.dumps(found, indent=2) + "\n")
    assert found == json.loads(RECORDED.read_text())


def test_a_list_of_a_hundred_costs_what_a_list_of_one_costs(stage: Stage, client: ApiClient, admin: User) -> None:
    paths = [stage.path(Operation("GET", path)) for path in LISTS]
    paths = [path + ("&" if "?" in path else "?") + "per_page=100" for path in paths]
    costs_of_few = {path: cost(client, "GET", path) for path in paths}

    _multiply(stage, client, admin)

    assert {path: len(client.get(path).json()["data"]) for path in paths} == dict.fromkeys(paths, MANY)
    assert {path: cost(client, "GET", path) for path in paths} == costs_of_few


def _multiply(stage: Stage, client: ApiClient, admin: User) -> None:
    target = stage.path(Operation("PATCH", "/api/v1/resources/{resource_id}"))
    for number in range(MANY):
        create_user()
        create_session(admin)
        create_connection(admin)
        client.post(f"{target}/shares", {"user": str(create_user().pk), "access": "viewer"})
        Role.objects.create(name=f"role {number}", permissions=[])
        client.post("/api/v1/resources", {"name": f"Target {number}"})
        SavedView.objects.create(owner=admin, name=f"View {number}", filters={})
        Resource.objects.create(owner=admin, name="Tagged", tags=[f"tag-{number}"])
        binned = client.post("/api/v1/resources", {"name": f"Binned {number}"}).json()["data"]["id"]
        client.delete(f"/api/v1/resources/{binned}")
        client.patch(target, {"name": f"Target {number}"})
        client.post(f"{target}/comments", {"body": f"Remark {number}"})
