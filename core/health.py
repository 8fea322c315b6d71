"""Is this server well, alive, ready; what it counts; and a page that says so to people. No envelope here."""

import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import Final

import orjson
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from core import context, memory
from core.gauges import GaugeCollector
from core.metrics import exposition
from core.redis_link import RedisUnavailable, link_to

_STARTED: Final = time.monotonic()
_MEMORY_LEFT_AT_LEAST: Final = 0.03
_STATUS_KEPT_FOR: Final = 10.0

_migrations_seen_applied = False
_last_status: tuple[float, dict[str, bool]] = (0.0, {})


@require_safe
@never_cache
def health(request: HttpRequest) -> HttpResponse:
    """Answer how this process and what it leans on are: 503 when one of them is not well."""
    checks = {"database": database_answers(), "cache": cache_answers(), "memory": memory_is_left()}
    well = all(checks.values())
    body = {
        "status": "healthy" if well else "unhealthy",
        "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "uptime": round(time.monotonic() - _STARTED, 1),
        "checks": checks,
    }
    return _json(body, status=200 if well else 503)


@require_safe
@never_cache
def live(request: HttpRequest) -> HttpResponse:
    """Answer that this process answers; nothing else is asked."""
    return _json({"status": "alive"}, status=200)


@require_safe
@never_cache
def ready(request: HttpRequest) -> HttpResponse:
    """Answer whether a load balancer may send requests: database reachable, no migration open."""
    database = database_answers()
    checks = {"database": database, "migrations": database and migrations_are_applied()}
    is_ready = all(checks.values())
    return _json({"status": "ready" if is_ready else "not ready", "checks": checks}, status=200 if is_ready else 503)


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer the metrics of all processes of this server, to those who hold the token or come from a listed network."""
    if not _may_read_metrics(request):
        return HttpResponse(
            "Give the metrics token, or come from a listed address.\n", status=403, content_type="text/plain"
        )
    body, content_type = exposition(GaugeCollector())
    return HttpResponse(body, content_type=content_type)


@require_safe
@never_cache
def status_page(request: HttpRequest) -> HttpResponse:
    """Show the public what works."""
    checks = _recent_checks()
    return render(request, "pages/status.html", {"checks": checks, "well": all(checks.values())})


def database_answers() -> bool:
    """Return whether PostgreSQL answers a statement."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (DatabaseError, InterfaceError):
        connection.close()
        return False
    return True


def cache_answers() -> bool:
    """Return whether the cache's Redis answers."""
    try:
        return bool(link_to(settings.CACHE_URL).call("PING") in (b"PONG", "PONG"))
    except RedisUnavailable:
        return False


def memory_is_left() -> bool:
    """Return whether the container, or else the machine, has memory to give."""
    limit, used = memory.limit_and_used()
    return limit == 0 or used / limit < 1 - _MEMORY_LEFT_AT_LEAST


def migrations_are_applied() -> bool:
    """Return whether no migration is open; the code of a process does not change, so one yes is for good."""
    global _migrations_seen_applied
    if not _migrations_seen_applied:
        executor = MigrationExecutor(connection)
        _migrations_seen_applied = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return _migrations_seen_applied


def _recent_checks() -> dict[str, bool]:
    # The page is public: whoever reloads it must not be able to keep the database busy.
    global _last_status
    taken_at, checks = _last_status
    if not checks or time.monotonic() - taken_at > _STATUS_KEPT_FOR:
        probes: dict[str, Callable[[], bool]] = {
            "API": lambda: True,
            "Database": database_answers,
            "Cache": cache_answers,
        }
        checks = {name: probe() for name, probe in probes.items()}
        _last_status = (time.monotonic(), checks)
    return checks


def _may_read_metrics(request: HttpRequest) -> bool:
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if settings.METRICS_TOKEN and secrets.compare_digest(given.encode(), settings.METRICS_TOKEN.encode()):
        return True
    try:
        address = ip_address(context.current().ip or "")
    except ValueError:
        return False
    return any(address in ip_network(network, strict=False) for network in settings.METRICS_ALLOWED_NETWORKS)


def _json(body: object, *, status: int) -> HttpResponse:
    return HttpResponse(orjson.dumps(body), status=status, content_type="application/json")
