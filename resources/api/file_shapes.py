"""What files look like to clients, and what is taken in of them."""

from typing import Any, Final

from rest_framework import serializers

from core.api.concurrency import linked_tags, tag_of
from core.api.serializers import StrictSerializer
from core.api.uploads import MEBIBYTE, Upload, UploadField
from resources.api.serializers import OwnerShape
from resources.models import FileState, FileVersion
from resources.services.files import NewContent, link_to

LARGEST_UPLOAD: Final = 10 * MEBIBYTE

FILE_EXAMPLE: Final[dict[str, Any]] = {
    "id": "019a9c1e-5f00-7c4e-9d1b-2f6f3f0c8a77",
    "name": "lamp.png",
    "content_type": "image/png",
    "size": 20412,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "width": 800,
    "height": 600,
    "state": "ready",
    "problem": None,
    "version": 1,
    "owner": {"id": "019a9c1e-0000-7000-8000-000000000001", "name": "Olive Owner"},
    "created_at": "2026-11-21T09:30:00.000000Z",
    "updated_at": "2026-11-21T09:30:00.000000Z",
    "url": "https://nook.example/files/…",
}
VERSION_EXAMPLE: Final[dict[str, Any]] = {
    name: value for name, value in FILE_EXAMPLE.items() if name not in {"id", "owner", "updated_at"}
}
ATTACHED_EXAMPLE: Final[dict[str, Any]] = {**FILE_EXAMPLE, "slot": "cover"}


class UploadInput(StrictSerializer):
    """A file."""

    file = UploadField(max_bytes=LARGEST_UPLOAD)


class AttachmentInput(StrictSerializer):
    """Which file of one's own a resource gets, and in which slot."""

    file = serializers.UUIDField()
    slot = serializers.RegexField(r"\A[a-z][a-z0-9_-]{0,49}\Z", required=False)


class FileShape(serializers.Serializer[Any]):
    """A file as it is given out: `url` serves for five minutes, and is null while nothing may be sent."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    content_type = serializers.CharField()
    size = serializers.IntegerField()
    sha256 = serializers.CharField()
    width = serializers.IntegerField(allow_null=True)
    height = serializers.IntegerField(allow_null=True)
    state = serializers.ChoiceField(choices=FileState.choices)
    problem = serializers.CharField(allow_null=True)
    version = serializers.IntegerField()
    owner = OwnerShape()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    url = serializers.CharField(allow_null=True)


class FileVersionShape(serializers.Serializer[Any]):
    """One content of a file."""

    name = serializers.CharField()
    content_type = serializers.CharField()
    size = serializers.IntegerField()
    sha256 = serializers.CharField()
    width = serializers.IntegerField(allow_null=True)
    height = serializers.IntegerField(allow_null=True)
    state = serializers.ChoiceField(choices=FileState.choices)
    problem = serializers.CharField(allow_null=True)
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    url = serializers.CharField(allow_null=True)


class AttachedFileShape(FileShape):
    """A file at a resource."""

    slot = serializers.CharField(allow_blank=True)


def file_shape(version: FileVersion) -> dict[str, Any]:
    """Return the file whose present version this is."""
    owner = version.file.owner
    return {
        "id": version.file_id,
        **content_shape(version),
        "owner": {"id": owner.pk, "name": owner.name},
        "created_at": version.file.created_at,
        "updated_at": version.updated_at,
        "url": link_to(version),
    }


def file_tags(version: FileVersion) -> tuple[str, ...]:
    """Return what the ETag of a file says, and says still: the number of its version, and what else is shown."""
    shown = (version.number, version.updated_at, version.state, version.file.owner.name)
    return linked_tags(*shown) if version.state == FileState.READY else (tag_of(*shown),)


def version_shape(version: FileVersion) -> dict[str, Any]:
    """Return one version of a file."""
    return {**content_shape(version), "created_at": version.created_at, "url": link_to(version)}


def content_shape(version: FileVersion) -> dict[str, Any]:
    """Return what is to be said of the content."""
    return {
        "name": version.name,
        "content_type": version.content_type,
        "size": version.size,
        "sha256": version.sha256,
        "width": version.width,
        "height": version.height,
        "state": version.state,
        "problem": version.problem or None,
        "version": version.number,
    }


def sent(upload: Upload) -> NewContent:
    """Return the part of a body as the services take it."""
    return NewContent(upload.name, upload.content, upload.content_type)
