"""Whether rows and storage agree: what is lost, what is damaged, and what nobody knows of."""

import hashlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.core.files.storage import default_storage
from django.db import transaction

from core import storage
from resources.models import STORED, File, FileVariant, FileVersion
from resources.services.file_sweeps import is_old, stored_names, unnamed
from resources.services.quarantine import reject
from resources.services.variants import forget_variants

LOST: Final = "lost"
DAMAGED: Final = "damaged"
UNKNOWN: Final = "unknown"
_BATCH: Final = 500
_PROBED: Final = 20

Progress = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: a version, or a picture of one, or a stored name that no row has."""

    kind: str
    key: str
    version_id: UUID | None = None
    variant_id: UUID | None = None


def has_anything() -> bool:
    """Return whether storage has any of the newest contents: none at all is another storage, not a hundred faults."""
    keys = list(FileVersion.objects.filter(state__in=STORED).order_by("-pk").values_list("key", flat=True)[:_PROBED])
    return not keys or any(default_storage.exists(key) for key in keys)


def number_of_rows() -> int:
    """Return how many rows say that storage has something."""
    return FileVersion.objects.filter(state__in=STORED).count() + FileVariant.objects.exclude(key="").count()


def faults(*, sample: float = 100.0, progress: Progress = lambda looked_at: None) -> Iterator[Fault]:
    """Yield what is wrong; of `sample` percent of the contents the hash is looked at too.

    A row and a content that come or go while this runs are no faults: each is looked at once more before it counts.
    """
    # First, because pictures of what is rejected below have no row any more, and are about to go by themselves.
    for names in stored_names():
        yield from (Fault(UNKNOWN, name) for name in unnamed(names) if is_old(name))
    yield from _faults_of_versions(sample, progress)
    yield from _faults_of_variants(progress)


def repair(fault: Fault) -> None:
    """Mend it: reject what is lost or damaged, have pictures made anew, delete what nobody knows of."""
    if fault.kind == UNKNOWN:
        default_storage.delete(fault.key)
    elif fault.variant_id is not None:
        with transaction.atomic():
            forget_variants(FileVariant.objects.filter(pk=fault.variant_id))
    elif fault.version_id is not None:
        _reject(fault.version_id, fault)


@transaction.atomic
def _reject(version_id: UUID, fault: Fault) -> None:
    version = FileVersion.objects.filter(pk=version_id, key=fault.key, state__in=STORED).first()
    if version is None:
        return
    file = File.objects.select_for_update(no_key=True).filter(pk=version.file_id).order_by().first()
    version = FileVersion.objects.filter(pk=version_id, state__in=STORED).first()
    if file is not None and version is not None:
        # What is left of it stays until the file goes: somebody may still want to look.
        reject(file, version, problem=fault.kind, keeps_content=True)


def _faults_of_versions(sample: float, progress: Progress) -> Iterator[Fault]:
    rows = FileVersion.objects.filter(state__in=STORED).order_by("pk")
    while found := list(rows[:_BATCH]):
        for version in found:
            kind = _fault_of(version, reads=random.uniform(0, 100) < sample)  # noqa: S311  # a sample, not a secret
            if kind and FileVersion.objects.filter(pk=version.pk, key=version.key, state__in=STORED).exists():
                yield Fault(kind, version.key, version_id=version.pk)
            progress(1)
        rows = rows.filter(pk__gt=found[-1].pk)


def _fault_of(version: FileVersion, *, reads: bool) -> str:
    try:
        if default_storage.size(version.key) != version.size:
            return DAMAGED
        return DAMAGED if reads and version.sha256 and _sha256(version.key) != version.sha256 else ""
    except FileNotFoundError:
        return LOST


def _sha256(key: str) -> str:
    digest = hashlib.sha256()
    for chunk in storage.chunks(key):
        digest.update(chunk)
    return digest.hexdigest()


def _faults_of_variants(progress: Progress) -> Iterator[Fault]:
    rows = FileVariant.objects.exclude(key="").order_by("pk")
    while found := list(rows[:_BATCH]):
        for row in found:
            kind = _fault_of_variant(row)
            if kind and FileVariant.objects.filter(pk=row.pk, key=row.key).exists():
                yield Fault(kind, row.key, variant_id=row.pk)
            progress(1)
        rows = rows.filter(pk__gt=found[-1].pk)


def _fault_of_variant(row: FileVariant) -> str:
    try:
        return "" if default_storage.size(row.key) == row.size else DAMAGED
    except FileNotFoundError:
        return LOST
