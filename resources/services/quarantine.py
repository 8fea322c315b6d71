"""What has just come in waits until the scanner has looked at it; without a scanner nothing waits.

While the scanner is away contents stay where they are: each asks again, less and less often, for as long as it takes.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from core import storage
from core.events import publish
from core.permissions import SYSTEM
from core.queue import enqueue, enqueue_many
from core.scanner import ScannerUnavailable, TooLargeToScan, Verdict, scan
from resources.models import STORED, File, FileState, FileVariant, FileVersion
from resources.services.attachments import tell_resources
from resources.services.turning import turn_to
from resources.services.variants import forget_variants

TOO_LARGE: Final = "too_large_to_scan"
INFECTED: Final = "infected"
_FIRST_PAUSE: Final = timedelta(seconds=5)
_LONGEST_PAUSE: Final = timedelta(minutes=10)
_LONGEST_PROBLEM: Final = 255
_BATCH: Final = 500


def scan_version(version_id: UUID, *, tries: int = 0) -> None:
    """Have a stored version scanned, and do what follows; a scanner that is away is asked again later.

    Raises `ServiceUnavailable` when the storage does not answer.
    """
    version = FileVersion.objects.filter(pk=version_id, state__in=STORED).first()
    if version is None:
        return
    try:
        verdict = scan(storage.chunks(version.key))
    except ScannerUnavailable:
        pause = min(_FIRST_PAUSE * 2 ** min(tries, 16), _LONGEST_PAUSE)
        enqueue("resources.tasks.scan_file", version_id=version_id, tries=tries + 1, delay=pause)
    except TooLargeToScan:
        FileVersion.objects.filter(pk=version_id, state=FileState.QUARANTINED).update(problem=TOO_LARGE)
    else:
        _judge(version, verdict)


def scan_again(rows: QuerySet[FileVersion]) -> int:
    """Have the stored ones of these versions scanned, by workers; return how many."""
    asked = 0
    stored = rows.filter(state__in=STORED).order_by("pk")
    while ids := list(stored.values_list("pk", flat=True)[:_BATCH]):
        enqueue_many("resources.tasks.scan_file", [{"version_id": version_id} for version_id in ids])
        asked += len(ids)
        stored = stored.filter(pk__gt=ids[-1])
    return asked


@transaction.atomic
def _judge(scanned: FileVersion, verdict: Verdict) -> None:
    file = File.objects.select_for_update(no_key=True).filter(pk=scanned.file_id).order_by().first()
    version = FileVersion.objects.filter(pk=scanned.pk, key=scanned.key, state__in=STORED).first()
    if file is None or version is None:
        return
    version.scanned_at = Now()
    if verdict.signature:
        reject(file, version, problem=f"{INFECTED}: {verdict.signature}")
    elif version.state == FileState.QUARANTINED:
        _release(file, version)
    else:
        version.save(update_fields=["scanned_at"])


def _release(file: File, version: FileVersion) -> None:
    version.state, version.problem = FileState.READY, ""
    version.save(update_fields=["state", "problem", "scanned_at"])
    turn_to(file, version)
    data = {"name": version.name, "version": version.number}
    publish("file.released", subject=file, actor=SYSTEM, data=data, audience=[file.owner_id])
    tell_resources(file.pk, actor=SYSTEM)


def reject(file: File, version: FileVersion, *, problem: str, keeps_content: bool = False) -> None:
    """Take a stored version away; the file, which is locked, shows the newest that is left, if any."""
    version.state, version.problem = FileState.REJECTED, problem[:_LONGEST_PROBLEM]
    version.save(update_fields=["state", "problem", "scanned_at"])
    forget_variants(FileVariant.objects.filter(version=version))
    if not keeps_content:
        enqueue("core.tasks.remove_file", name=version.key)
    _show_what_is_left(file, version)
    data = {"name": version.name, "version": version.number, "problem": version.problem}
    publish("file.rejected", subject=file, actor=SYSTEM, data=data, audience=[file.owner_id])
    tell_resources(file.pk, actor=SYSTEM)


def _show_what_is_left(file: File, rejected: FileVersion) -> None:
    if file.version != rejected.number:
        return
    left = file.versions.filter(state__in=STORED).values_list("number", "state")
    if left:
        # What waits for the scanner is shown where there is nothing else.
        file.version = max(left, key=lambda row: (row[1] == FileState.READY, row[0]))[0]
        file.save(update_fields=["version"])
