"""`/files/presign` and `/files/{id}/complete`: contents that do not pass through the API."""

from typing import Any, Final
from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from core.api.access import SIGNED_IN
from core.api.envelope import success
from core.api.fields import MAX_INTEGER, FileNameField
from core.api.operations import operation
from core.api.serializers import StrictSerializer, parse
from core.api.views import ApiView
from core.errors import Conflict, NotFound, PayloadTooLarge
from resources.api.file_shapes import FILE_EXAMPLE, FileShape, file_shape
from resources.models import FileVersion
from resources.services.uploads import (
    UPLOAD_LIFETIME,
    Announced,
    announce_upload,
    announce_version,
    complete_upload,
    way_to,
)

_ANNOUNCED_EXAMPLE: Final = {
    "filename": "film.mp4",
    "content_type": "video/mp4",
    "size": 734003200,
    "sha256": FILE_EXAMPLE["sha256"],
}
_WAY_EXAMPLE: Final = {
    "id": FILE_EXAMPLE["id"],
    "method": "PUT",
    "url": "https://nook.example/files/uploads/…",
    "headers": {"Content-Type": "video/mp4"},
    "expires_at": "2026-11-21T10:30:00.000000Z",
}


class AnnouncedInput(StrictSerializer):
    """A file that is to be uploaded; what it says is checked when it is there."""

    filename = FileNameField()
    content_type = serializers.RegexField(
        r"\A[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}\Z", help_text="A media type without parameters."
    )
    size = serializers.IntegerField(min_value=1, max_value=MAX_INTEGER, help_text="In bytes.")
    sha256 = serializers.RegexField(r"\A[0-9a-f]{64}\Z", required=False)


class UploadWayShape(serializers.Serializer[Any]):
    """How to send the content: one request with these headers and the content as its body."""

    id = serializers.UUIDField()
    method = serializers.CharField()
    url = serializers.CharField()
    headers = serializers.DictField(child=serializers.CharField())
    expires_at = serializers.DateTimeField()


class PresignedFiles(ApiView):
    """Where large files are announced."""

    access = {"POST": SIGNED_IN}
    token_scopes = {"POST": "write:resource"}
    rate_limit = {"POST": "upload"}
    keeps_secrets = True

    @operation(
        "Announce an upload",
        description=(
            "For files that are larger than 10 MiB, or shall not pass through the API. Send the content to `url` with "
            "`method` and `headers`, exactly `size` bytes, within an hour; then `POST /files/{id}/complete`. Until "
            "then the file is `pending`, and its size counts against the owner's quota; two hours later it is gone. "
            "Beyond `FILES_PRESIGN_MEBIBYTES` or the quota: 413. 409 with a hundred unfinished uploads."
        ),
        request=AnnouncedInput,
        response=UploadWayShape,
        status=201,
        request_example=_ANNOUNCED_EXAMPLE,
        response_example=_WAY_EXAMPLE,
        errors=(Conflict, PayloadTooLarge),
    )
    def post(self, request: Request) -> HttpResponse:
        version = announce_upload(actor=self.caller, announced=_announced(request))
        return success(_shape(version), status=201, headers={"Location": f"/api/v1/files/{version.file_id}"})


class PresignedVersions(ApiView):
    """Where large newer versions of a file are announced."""

    access = {"POST": SIGNED_IN}
    token_scopes = {"POST": "write:resource"}
    rate_limit = {"POST": "upload"}
    keeps_secrets = True

    @operation(
        "Announce the upload of a newer version",
        description=(
            "For the file's owner; as `POST /files/presign`, and completed by `POST /files/{id}/complete`, which takes "
            "the version that was announced last. Until then the file shows what it has; what is refused, or not "
            "completed within two hours, leaves it so. 409 at 100 versions, and for a file that has nothing yet."
        ),
        request=AnnouncedInput,
        response=UploadWayShape,
        status=201,
        request_example=_ANNOUNCED_EXAMPLE,
        response_example=_WAY_EXAMPLE,
        errors=(NotFound, Conflict, PayloadTooLarge),
    )
    def post(self, request: Request, file_id: UUID) -> HttpResponse:
        version = announce_version(actor=self.caller, file_id=file_id, announced=_announced(request))
        return success(_shape(version), status=201, headers={"Location": f"/api/v1/files/{version.file_id}"})


class FileCompletion(ApiView):
    """Where an upload ends."""

    access = {"POST": SIGNED_IN}
    token_scopes = {"POST": "write:resource"}
    rate_limit = {"POST": "upload"}
    keeps_secrets = True

    @operation(
        "Complete an upload",
        description=(
            "Has what was uploaded examined: size, SHA-256 and type. What is not as announced is removed, and the file "
            "is `rejected` (400 `size_mismatch`, `hash_mismatch`, `wrong_type`, `not_an_image`, `broken_image`, "
            "`too_many_pixels`). Asked again, also at the same time, it answers the same. 409 while nothing has "
            "arrived."
        ),
        response=FileShape,
        response_example=FILE_EXAMPLE,
        errors=(NotFound, Conflict),
    )
    def post(self, request: Request, file_id: UUID) -> HttpResponse:
        return success(file_shape(complete_upload(actor=self.caller, file_id=file_id)))


def _announced(request: Request) -> Announced:
    wanted = parse(AnnouncedInput, request)
    return Announced(wanted["filename"], wanted["content_type"].lower(), wanted["size"], wanted.get("sha256", ""))


def _shape(version: FileVersion) -> dict[str, Any]:
    way = way_to(version)
    return {
        "id": version.file_id,
        "method": way.method,
        "url": way.url,
        "headers": way.headers,
        "expires_at": version.created_at + UPLOAD_LIFETIME,
    }
