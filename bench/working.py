"""Run inside a world: one import or export, from its first step to its last, in this process."""

import os
import resource
import tempfile
import time
from collections.abc import Iterator
from typing import Final

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.development")
django.setup()

from accounts.models import User  # noqa: E402  # after the setup
from bench.outcome import Outcome  # noqa: E402
from bench.servers import database_cpu_seconds  # noqa: E402
from config.celery import keep_what_is_loaded  # noqa: E402
from core.jobs import running  # noqa: E402
from core.models import Job, OutboxRow  # noqa: E402
from core.models.jobs import SUCCEEDED, UNFINISHED  # noqa: E402
from core.permissions import SYSTEM, Caller  # noqa: E402
from resources.models import Resource, ResourceType  # noqa: E402
from resources.services import exporting, importing  # noqa: E402
from resources.services.types import NewType, create_type  # noqa: E402

TYPE: Final = "bench"
_SCHEMA: Final = {
    "type": "object",
    "required": ["number", "total"],
    "additionalProperties": False,
    "properties": {
        "number": {"type": "string"},
        "total": {"type": "number"},
        "paid": {"type": "boolean"},
        "customer": {"type": "object", "properties": {"name": {"type": "string"}, "city": {"type": "string"}}},
    },
}
_HEADER: Final = "name,external_id,description,tags,number,total,paid,customer.name,customer.city\n"


def measured(work: str, rows: int) -> Outcome:
    """Do the work with so many rows and return what it took."""
    # As a child of the worker begins.
    keep_what_is_loaded()
    caller = _caller()
    job = _export(caller, work.removeprefix("export ")) if work.startswith("export") else _import(caller, work, rows)
    started, cpu, database = time.monotonic(), time.process_time(), _database_cpu()
    while job.state in UNFINISHED:
        running.run(job_id=job.pk, turn=job.turn)
        job.refresh_from_db()
    if (job.state, job.failed) != (SUCCEEDED, 0):
        raise RuntimeError(f"{work}: {job.state}, {job.failed} rows failed: {job.error}")
    OutboxRow.objects.all().delete()
    return Outcome(
        rows=job.done,
        seconds=time.monotonic() - started,
        cpu=time.process_time() - cpu,
        database_cpu=_database_cpu() - database,
        resident_mebibytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def _caller() -> Caller:
    if not ResourceType.objects.filter(key=TYPE).exists():
        create_type(actor=SYSTEM, new=NewType(TYPE, "Bench", schema=_SCHEMA))
    return Caller.of(User.objects.select_related("role").get(email="user1@example.com"))


def _database_cpu() -> float:
    return database_cpu_seconds(os.environ["BENCH_DATABASE"])


def _export(caller: Caller, format_: str) -> Job:
    return exporting.request_export(actor=caller, filters={"type": [TYPE]}, format=format_)


def _import(caller: Caller, work: str, rows: int) -> Job:
    if work != "upsert":
        _empty()
    with tempfile.TemporaryFile() as file:
        for block in _table(rows, changed=work == "upsert"):
            file.write(block.encode())
        file.seek(0)
        return importing.request_import(
            actor=caller,
            file=file,
            filename="rows.csv",
            format="csv",
            type_key=TYPE,
            mode="upsert" if work == "upsert" else "create",
            dry_run=work == "dry run",
        )


def _table(rows: int, *, changed: bool) -> Iterator[str]:
    yield _HEADER
    for number in range(rows):
        yield (
            f'Invoice {number} for Amber Analytics,{number},Sent on the first; due within thirty days.,"paid,customer",'
            f"2026-{number},{number / 8 + changed},{'true' if number % 2 else 'false'},Amber Analytics,Ambérville\n"
        )


def _empty() -> None:
    while ids := list(Resource.all_objects.filter(type_id=TYPE).values_list("id", flat=True)[:5000]):
        Resource.all_objects.filter(id__in=ids).delete()
