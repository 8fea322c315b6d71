"""Files: what people keep beside resources. A file is a chain of versions; what it shows is its present one."""

from typing import Final, Self
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now

from core.models import BaseModel
from core.permissions import Caller
from resources.access import Asker
from resources.models.records import Resource


class FileState(models.TextChoices):
    """How far a version is; only what is ready is ever sent to anybody."""

    PENDING = "pending", "Pending: not uploaded yet"
    QUARANTINED = "quarantined", "Quarantined: not scanned yet"
    READY = "ready", "Ready"
    REJECTED = "rejected", "Rejected: refused, and its content removed"


STORED: Final = (FileState.QUARANTINED, FileState.READY)
"""The states in which storage has the content."""


class FileQuerySet(models.QuerySet["File"]):
    """Reads of files; `visible_to` is the one door for everything that a caller is shown."""

    def visible_to(self, caller: Caller) -> Self:
        """Return the caller's own files, and those attached to a resource that they may read."""
        asker = Asker.of(caller)
        if asker.is_admin:
            return self.all()
        readable = Resource.objects.visible_by_test(asker).filter(pk=OuterRef("resource_id"))
        attached = ResourceFile.objects.filter(Exists(readable), file_id=OuterRef("pk"))
        condition = Q(Exists(attached))
        if asker.user is not None:
            condition |= Q(owner_id=asker.user)
        return self.filter(condition)


class File(BaseModel):
    """A file of somebody's, by the id that stays the same over all its versions."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="files")
    version = models.PositiveIntegerField(default=1, db_default=1, editable=False)
    unattached_since = models.DateTimeField(null=True, blank=True, db_default=Now(), editable=False)
    """Since when no resource has it, as the sweep last saw it; null while one has."""

    objects = FileQuerySet.as_manager()

    class Meta:
        db_table = "files"
        constraints = [models.CheckConstraint(condition=Q(version__gte=1), name="ck_files_version")]
        indexes = [
            models.Index(
                fields=["unattached_since"],
                condition=Q(unattached_since__isnull=False),
                name="idx_files_unattached_since",
            )
        ]

    def __str__(self) -> str:
        return str(self.pk)


class FileVersionQuerySet(models.QuerySet["FileVersion"]):
    """Reads of versions with the file that they are of."""

    def present(self) -> Self:
        """Return of each file the version that it shows."""
        return self.filter(number=F("file__version"))


class FileVersion(BaseModel):
    """One content of a file. `key` is where storage has it; a pending one's is where it is to be uploaded to."""

    file = models.ForeignKey(File, models.CASCADE, related_name="versions", db_index=False)
    number = models.PositiveIntegerField()
    name = models.CharField(max_length=255)
    content_type = models.CharField(max_length=255)
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64, blank=True, default="")
    width = models.PositiveIntegerField(null=True, blank=True)
    height = models.PositiveIntegerField(null=True, blank=True)
    state = models.CharField(max_length=11, choices=FileState.choices)
    problem = models.CharField(max_length=255, blank=True, default="", db_default="")
    """Why it was rejected: a code, and perhaps more after a colon."""

    scanned_at = models.DateTimeField(null=True, blank=True, editable=False)
    """When the scanner last said something of the content."""

    key = models.CharField(max_length=100)

    objects = FileVersionQuerySet.as_manager()

    class Meta:
        db_table = "file_versions"
        verbose_name = "file"
        constraints = [
            models.UniqueConstraint(fields=["file", "number"], name="uq_file_versions_file_number"),
            models.UniqueConstraint(fields=["key"], name="uq_file_versions_key"),
            models.CheckConstraint(condition=Q(state__in=FileState.values), name="ck_file_versions_state"),
            models.CheckConstraint(condition=Q(size__gte=1), name="ck_file_versions_size"),
        ]
        indexes = [
            models.Index(
                fields=["created_at"],
                condition=Q(state__in=[FileState.PENDING, FileState.QUARANTINED]),
                name="idx_file_versions_unfinished",
            )
        ]

    def __str__(self) -> str:
        return self.name


class FileVariantQuerySet(models.QuerySet["FileVariant"]):
    """Reads of pictures that were made."""

    def of_file(self, file_id: UUID) -> Self:
        """Return those of all versions of a file."""
        return self.filter(version__file_id=file_id)


class FileVariant(BaseModel):
    """A picture made of a version, in one form. Without `key` it is being made, or could not be."""

    version = models.ForeignKey(FileVersion, models.CASCADE, related_name="variants", db_index=False)
    form = models.CharField(max_length=60)
    key = models.CharField(max_length=100, blank=True, default="", db_default="")
    size = models.BigIntegerField(default=0, db_default=0)
    problem = models.CharField(max_length=40, blank=True, default="", db_default="")
    busy_until = models.DateTimeField(null=True, blank=True)
    """Until when somebody is making it; with a problem: until when nobody tries again."""

    objects = FileVariantQuerySet.as_manager()

    class Meta:
        db_table = "file_variants"
        constraints = [
            models.UniqueConstraint(fields=["version", "form"], name="uq_file_variants_version_form"),
            models.UniqueConstraint(fields=["key"], condition=~Q(key=""), name="uq_file_variants_key"),
        ]

    def __str__(self) -> str:
        return self.form


class ResourceFile(BaseModel):
    """A file that is attached to a resource, perhaps in a slot of a name (`cover`), which holds one file."""

    resource = models.ForeignKey("resources.Resource", models.CASCADE, related_name="attachments", db_index=False)
    file = models.ForeignKey(File, models.PROTECT, related_name="attachments")
    slot = models.CharField(max_length=50, blank=True, default="", db_default="")

    class Meta:
        db_table = "resource_files"
        constraints = [
            models.UniqueConstraint(fields=["resource", "file"], name="uq_resource_files_resource_file"),
            models.UniqueConstraint(
                fields=["resource", "slot"], condition=~Q(slot=""), name="uq_resource_files_resource_slot"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.file_id} at {self.resource_id}"
