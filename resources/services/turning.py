"""Which of its versions a file shows."""

from resources.models import File, FileVariant, FileVersion
from resources.services.variants import forget_variants


def turn_to(file: File, version: FileVersion) -> None:
    """Let a locked file show the version, unless it shows a newer one."""
    if version.number > file.version:
        file.version = version.number
        file.save(update_fields=["version"])
        # Pictures are made of what the file shows.
        forget_variants(FileVariant.objects.of_file(file.pk))
