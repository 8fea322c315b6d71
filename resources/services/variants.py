"""Pictures that were made of files: rows that go with the version, and contents that go after them."""

from datetime import timedelta
from typing import Final

from core.queue import enqueue_many
from resources.models import FileVariant, FileVariantQuerySet

VARIANTS: Final = "variants"
"""Where their contents are."""

_LINKS_SERVE_FOR: Final = timedelta(minutes=10)


def forget_variants(rows: FileVariantQuerySet) -> None:
    """Delete the rows, in the caller's transaction; the contents go when no link to them serves any more."""
    found = dict(rows.values_list("pk", "key"))
    FileVariant.objects.filter(pk__in=found).delete()
    names = [{"name": key} for key in found.values() if key]
    enqueue_many("core.tasks.remove_file", names, delay=_LINKS_SERVE_FOR)
