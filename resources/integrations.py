"""The servers of others that files need."""

from collections.abc import Iterator
from datetime import datetime

from django.conf import settings

from core.integrations import Integration, host_of, integrations
from resources.models import FileVersion


@integrations
def stores() -> Iterator[Integration]:
    """Yield the storage and the scanner."""
    endpoint = settings.STORAGES["default"]["OPTIONS"].get("endpoint_url") or ""
    bucket = f"{host_of(endpoint) or 'Amazon'}, {settings.S3_BUCKET}" if settings.S3_BUCKET else ""
    yield Integration("S3", "keeps files", "S3_BUCKET", bucket, "storage", _newest() if bucket else None)
    clamd = settings.CLAMD and (settings.CLAMD.get("path") or f"{settings.CLAMD['host']}:{settings.CLAMD['port']}")
    scanned = _newest(scanned_at__isnull=False) if clamd else None
    yield Integration("clamd", "looks for viruses in files", "CLAMD_URL", clamd or "", "scanner", scanned)


def _newest(**conditions: object) -> datetime | None:
    """Return when the newest content came, among the newest thousand."""
    newest = FileVersion.objects.order_by("-id").values("id")[:1000]
    rows = FileVersion.objects.filter(id__in=newest, **conditions).order_by("-id")
    return rows.values_list("created_at", flat=True).first()
