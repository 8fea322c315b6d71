"""The programs of `manage.py up`, with their command lines."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core.embedded.program import Program

_LOOPBACK_OF: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  # listening everywhere
# In a container everything is root; what root must not do, PostgreSQL, is not done as root.
_ROOT_WARNING: Final = "ignore:You're running the worker with superuser privileges"
STOP_ORDER: Final = (("web", "live"), ("worker", "beat", "relay"), ("valkey",), ("postgres",))


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be run where."""

    host: str
    port: int
    live_port: int
    workers: int
    web_server: str
    root: Path
    environment: Mapping[str, str]

    @property
    def local_host(self) -> str:
        """Return the address at which this machine reaches the servers."""
        return _LOOPBACK_OF.get(self.host, self.host)


def programs(plan: Plan) -> list[Program]:
    """Return the product's programs in the order of their start."""
    manage = [sys.executable, str(plan.root / "manage.py")]
    celery = [sys.executable, "-W", _ROOT_WARNING, "-m", "celery", "--quiet", "--app", "config"]
    worker = ["worker", "--concurrency", str(plan.workers), "--loglevel", "WARNING"]
    return [
        Program("web", _web(plan), plan.environment, (plan.local_host, plan.port)),
        Program("live", _live(plan), plan.environment, (plan.local_host, plan.live_port), grace=3),
        Program("relay", [*manage, "relay"], plan.environment),
        Program("worker", [*celery, *worker, "--without-gossip", "--without-mingle"], plan.environment, grace=30),
        Program("beat", [*manage, "beat"], plan.environment),
    ]


def _web(plan: Plan) -> list[str]:
    if plan.web_server == "gunicorn":
        return _gunicorn(plan)
    return _granian(
        plan, "wsgi", plan.port, plan.workers, "config.wsgi:application", "--blocking-threads", "4", "--no-ws"
    )


def _live(plan: Plan) -> list[str]:
    return _granian(plan, "asginl", plan.live_port, 1, "config.asgi:application")


def _granian(plan: Plan, interface: str, port: int, workers: int, application: str, *options: str) -> list[str]:
    return [
        *(sys.executable, "-m", "granian", "--interface", interface),
        *("--host", plan.host, "--port", str(port), "--workers", str(workers), *options),
        *("--respawn-failed-workers", "--respawn-interval", "0.5", "--workers-kill-timeout", "8"),
        *("--log-level", "warning", "--working-dir", str(plan.root), application),
    ]


def _gunicorn(plan: Plan) -> list[str]:
    return [
        *(sys.executable, "-m", "gunicorn", "--worker-class", "gthread", "--threads", "4"),
        *("--workers", str(plan.workers), "--bind", f"{plan.host}:{plan.port}", "--graceful-timeout", "8"),
        *("--no-control-socket", "--log-level", "warning", "--chdir", str(plan.root), "config.wsgi:application"),
    ]
