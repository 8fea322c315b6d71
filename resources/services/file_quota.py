"""How much one person may keep in files: exact, also when they upload many at once."""

from typing import Final
from uuid import UUID

from django.conf import settings
from django.db.models import Sum

from core.errors import PayloadTooLarge
from core.locks import NamedLock
from resources.models import FileState, FileVersion

_KEEPING: Final = NamedLock("files")
_MEBIBYTE: Final = 1024 * 1024
_COUNTED: Final = (FileState.PENDING, FileState.QUARANTINED, FileState.READY)


def used_bytes(owner_id: UUID) -> int:
    """Return what all versions of the person's files weigh, announced uploads at the size that they announced."""
    kept = FileVersion.objects.filter(file__owner_id=owner_id, state__in=_COUNTED)
    return int(kept.aggregate(total=Sum("size"))["total"] or 0)


def refuse_beyond_quota(owner_id: UUID, size: int) -> None:
    """Raise `PayloadTooLarge` when `size` bytes more are over the person's quota."""
    if used_bytes(owner_id) + size > settings.FILES_QUOTA_MEBIBYTES * _MEBIBYTE:
        raise PayloadTooLarge(f"Your files may weigh {settings.FILES_QUOTA_MEBIBYTES} MiB together.")


def lock_quota(owner_id: UUID) -> None:
    """Let nobody else add to the person's files until the transaction ends."""
    _KEEPING.hold(of=owner_id)
