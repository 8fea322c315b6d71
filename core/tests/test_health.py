import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from core import health, metrics

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.django_db


@pytest.fixture
def open_migration() -> Iterator[None]:
    """A database on which the last migration of `core` has not been applied yet."""
    health._migrations_seen_applied = False
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'core'")
    yield
    health._migrations_seen_applied = False


def test_a_well_server_says_so(client: Client) -> None:
    response = client.get("/health")

    body = response.json()
    assert response.status_code == 200
    assert list(body) == ["status", "timestamp", "uptime", "checks"]
    assert body["status"] == "healthy"
    assert body["checks"] == {"database": True, "cache": True, "memory": True}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", body["timestamp"])
    assert body["uptime"] > 0
    assert "no-store" in response["Cache-Control"]


def test_a_lost_cache_is_told_but_does_not_eject_the_node(client: Client, settings: Settings) -> None:
    settings.CACHE_URL = "redis://127.0.0.1:1/0"

    response = client.get("/health")

    assert response.status_code == 503
    assert response.json()["status"] == "unhealthy"
    assert response.json()["checks"] == {"database": True, "cache": False, "memory": True}
    assert client.get("/health/ready").status_code == 200


def test_alive_asks_nothing_of_anyone(client: Client, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(0):
        response = client.get("/health/live")

    assert (response.status_code, response.json()) == (200, {"status": "alive"})


def test_ready_means_database_and_migrations(client: Client) -> None:
    response = client.get("/health/ready")

    assert response.status_code == 200
    assert response.json() == {"status": "ready", "checks": {"database": True, "migrations": True}}


def test_an_open_migration_keeps_requests_away(client: Client, open_migration: None) -> None:
    response = client.get("/health/ready")

    assert response.status_code == 503
    assert response.json() == {"status": "not ready", "checks": {"database": True, "migrations": False}}


def test_health_is_only_read(client: Client) -> None:
    assert client.post("/health").status_code == 405
    assert client.head("/health/live").status_code == 200


def test_metrics_are_for_the_token(client: Client, settings: Settings) -> None:
    settings.METRICS_TOKEN = "a-token-for-the-scraper"
    client.get("/health/live")

    refused = client.get("/metrics")
    wrong = client.get("/metrics", headers={"authorization": "Bearer another"})
    response = client.get("/metrics", headers={"authorization": "Bearer a-token-for-the-scraper"})

    assert (refused.status_code, wrong.status_code, response.status_code) == (403, 403, 200)
    assert b"nook_" not in refused.content
    assert response["Content-Type"].startswith("text/plain; version=0.0.4")
    line = r'nook_http_requests_total\{method="GET",route="/health/live",status="200"\} [1-9]'
    assert re.search(line, response.content.decode())
    assert "nook_http_request_seconds_bucket{" in response.content.decode()
    assert "nook_http_active_requests{" in response.content.decode()


def test_invented_methods_take_up_no_room(client: Client) -> None:
    client.generic("BREW0", "/health/live")
    before = len(metrics._children)

    for number in range(1, 4):
        client.generic(f"BREW{number}", "/health/live")

    assert len(metrics._children) == before


def test_metrics_are_for_listed_networks(client: Client, settings: Settings) -> None:
    settings.METRICS_ALLOWED_NETWORKS = ["192.0.2.0/24"]

    assert client.get("/metrics", REMOTE_ADDR="192.0.2.7").status_code == 200
    assert client.get("/metrics", REMOTE_ADDR="198.51.100.7").status_code == 403
    forged = client.get("/metrics", REMOTE_ADDR="198.51.100.7", headers={"x-forwarded-for": "192.0.2.7"})
    assert forged.status_code == 403


def test_an_empty_token_opens_nothing(client: Client, settings: Settings) -> None:
    settings.METRICS_TOKEN = ""

    assert client.get("/metrics", headers={"authorization": "Bearer "}).status_code == 403


def test_the_status_page_tells_the_public(client: Client) -> None:
    response = client.get("/status")

    assert response.status_code == 200
    assert "Everything works." in response.content.decode()


def test_the_counts_of_several_processes_are_added_up(tmp_path: Path) -> None:
    counting = (
        "import django; django.setup()\n"
        "from core.metrics import count_request\n"
        "[count_request('/a', 'GET', 200, 0.01) for _ in range(50)]"
    )
    reading = "import django; django.setup()\nfrom core.metrics import exposition\nprint(exposition()[0].decode())"
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    processes = [subprocess.Popen([sys.executable, "-c", counting], cwd=ROOT, env=environment) for _ in range(2)]
    assert [process.wait(120) for process in processes] == [0, 0]

    text = subprocess.check_output([sys.executable, "-c", reading], cwd=ROOT, env=environment, text=True)

    labels = '{method="GET",route="/a",status="200"}'
    assert f"nook_http_requests_total{labels} 100.0" in text
    assert f"nook_http_request_seconds_count{labels} 100.0" in text
