"""`manage.py up`: the whole product with one command."""

import os
import shutil
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from core.embedded.banner import banner
from core.embedded.lock import lock_folder
from core.embedded.options import add_options
from core.embedded.output import say
from core.embedded.ports import require_free
from core.embedded.postgres import Postgres
from core.embedded.preparation import DemoLogin, prepare_database
from core.embedded.programs import STOP_ORDER, Plan, programs
from core.embedded.supervisor import StopRequested, Supervisor
from core.embedded.valkey import Valkey


class Command(BaseCommand):
    help = "Start everything: PostgreSQL and Valkey (unless URLs are given), web, live, relay, worker and beat."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_options(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        plan = _plan()
        require_free(plan.host, plan.port)
        require_free(plan.host, plan.live_port)
        lock = lock_folder(settings.DATA_DIR)
        try:
            _run(plan, lock)
        finally:
            os.close(lock)


def _run(plan: Plan, lock: int) -> None:
    supervisor = Supervisor()
    try:
        _start_servers(supervisor, lock)
        login = prepare_database()
        _start_programs(supervisor, plan)
        _say_where_everything_is(plan, login)
        supervisor.watch()
    except StopRequested:
        say("Stopping…")
    finally:
        supervisor.close(STOP_ORDER)
    say("Stopped.")


def _plan() -> Plan:
    return Plan(
        host=settings.NOOK_HOST,
        port=settings.NOOK_PORT,
        live_port=settings.NOOK_LIVE_PORT,
        workers=settings.WEB_PROCESSES,
        web_server=settings.NOOK_WEB_SERVER,
        root=settings.BASE_DIR,
        environment={
            "NOOK_DATA_DIR": str(settings.DATA_DIR.resolve()),
            "PUBLIC_URL": settings.PUBLIC_URL,
            "PROMETHEUS_MULTIPROC_DIR": str(settings.DATA_DIR.resolve() / "metrics"),
            # The programs write into pipes of ours: whether a person reads along is known here only.
            "LOG_FORMAT": settings.LOG_FORMAT,
        },
    )


def _start_servers(supervisor: Supervisor, lock: int) -> None:
    if not settings.DATABASE_URL:
        supervisor.start(Postgres(settings.EMBEDDED, inherited=(lock,)))
    if settings.EMBEDDED.redis_url == settings.REDIS_URL:
        supervisor.start(Valkey(settings.EMBEDDED, inherited=(lock,)))


def _start_programs(supervisor: Supervisor, plan: Plan) -> None:
    # Every process keeps its counts in files of this folder; those of an earlier run would be added up for ever.
    metrics = settings.DATA_DIR / "metrics"
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir()
    web, *others = programs(plan)
    supervisor.start(web)
    # The processors are the web server's until it answers: that is what a person waits for.
    if not supervisor.wait_for(web.is_ready, seconds=60):
        say("The web server is not ready after 60 s; its lines above say why.")
    for program in others:
        supervisor.start(program)


def _say_where_everything_is(plan: Plan, login: DemoLogin | None) -> None:
    say(
        banner(
            url=settings.PUBLIC_URL,
            live_url=f"http://{plan.local_host}:{plan.live_port}",
            data_dir=settings.DATA_DIR.resolve(),
            mail=f"sent by {settings.EMAIL_URL.partition(':')[0]}"
            if settings.EMAIL_URL
            else "printed here; readable in the admin under Messages",
            login=login,
        )
    )
