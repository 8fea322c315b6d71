"""What nobody needs: files that no resource has had for a day, and contents that no row names.

A file is seen without a resource twice, a day apart, before it goes: so one whose resource was destroyed
can still be attached elsewhere.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models.functions import Now

from core.models import OutboxRow
from core.permissions import SYSTEM
from resources.models import File, FileVariant, FileVersion
from resources.services.file_contents import FOLDER, UPLOADS
from resources.services.files import remove_file
from resources.services.variants import VARIANTS

UNATTACHED_FOR: Final = timedelta(days=1)
_UNNAMED_FOR: Final = timedelta(days=1)
_BATCH: Final = 500


def sweep_unattached() -> int:
    """Remove the files that no resource has had for 24 hours, each in a transaction of its own; return how many."""
    unattached = File.objects.filter(attachments__isnull=True)
    unattached.filter(unattached_since__isnull=True).update(unattached_since=Now())
    due = unattached.filter(unattached_since__lt=Now() - UNATTACHED_FOR).order_by("pk")
    removed = 0
    while ids := list(due.values_list("pk", flat=True)[:_BATCH]):
        removed += sum(_remove(file_id) for file_id in ids)
        due = due.filter(pk__gt=ids[-1])
    return removed


@transaction.atomic
def _remove(file_id: UUID) -> bool:
    file = File.objects.select_for_update().filter(pk=file_id).first()
    if file is None or file.attachments.exists():
        return False
    remove_file(file, actor=SYSTEM)
    return True


def sweep_unnamed() -> int:
    """Delete the stored contents that no row names and that are older than a day; return how many."""
    removed = 0
    for names in stored_names():
        removed += _remove_unnamed(names)
    return removed


def stored_names() -> Iterator[list[str]]:
    """Yield what storage has of files, some hundred names at a time."""
    for top in (FOLDER, UPLOADS, VARIANTS):
        for folder in _listed(top)[0]:
            names = [f"{top}/{folder}/{name}" for name in _listed(f"{top}/{folder}")[1]]
            yield from (names[start : start + _BATCH] for start in range(0, len(names), _BATCH))


def unnamed(names: list[str]) -> Iterator[str]:
    """Yield those of the stored names that no row names, and whose removal nobody has promised."""
    named = set(FileVersion.objects.filter(key__in=names).values_list("key", flat=True))
    named.update(FileVariant.objects.filter(key__in=names).values_list("key", flat=True))
    going = OutboxRow.objects.filter(task="core.tasks.remove_file", kwargs__name__in=names)
    named.update(going.values_list("kwargs__name", flat=True))
    return (name for name in names if name not in named)


def is_old(name: str) -> bool:
    """Return whether the stored name is older than a day; a younger one may be about to get a row."""
    try:
        return default_storage.get_modified_time(name) < datetime.now(UTC) - _UNNAMED_FOR
    except FileNotFoundError:
        return False


def _remove_unnamed(names: list[str]) -> int:
    old = [name for name in unnamed(names) if is_old(name)]
    for name in old:
        default_storage.delete(name)
    return len(old)


def _listed(folder: str) -> tuple[list[str], list[str]]:
    """Return the folders and the files in a folder; a folder that is not there yet has none."""
    try:
        folders, files = default_storage.listdir(folder)
    except FileNotFoundError:
        return [], []
    return sorted(folders), sorted(files)
