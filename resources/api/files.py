"""`/files`, and the files of a resource."""

from functools import partial
from uuid import UUID

from django.http import HttpResponse, HttpResponseRedirect
from rest_framework.request import Request

from core.api.access import PUBLIC, SIGNED_IN
from core.api.concurrency import etag, not_modified, require_match
from core.api.envelope import no_content, success
from core.api.operations import operation
from core.api.serializers import parse
from core.api.uploads import UploadView
from core.api.views import ApiView
from core.errors import Conflict, NotFound, PreconditionFailed
from resources.api.file_shapes import (
    ATTACHED_EXAMPLE,
    FILE_EXAMPLE,
    LARGEST_UPLOAD,
    VERSION_EXAMPLE,
    AttachedFileShape,
    AttachmentInput,
    FileShape,
    FileVersionShape,
    UploadInput,
    file_shape,
    file_tags,
    sent,
    version_shape,
)
from resources.services.attachments import attach_file, detach_file
from resources.services.file_versions import add_version, versions_of
from resources.services.files import content_link, delete_file, file_for, upload_file

REFUSALS = (
    "Codes of a refusal: `empty`, `unsafe_name`, `not_an_image` (called a picture, and is none, or is an archive too), "
    "`broken_image`, `too_many_pixels` (over 50 megapixels). Beyond the owner's quota: 413."
)


class Files(UploadView):
    """Where files come in."""

    access = {"POST": SIGNED_IN}
    token_scopes = {"POST": "write:resource"}
    file_limit = LARGEST_UPLOAD
    keeps_secrets = True

    @operation(
        "Upload a file",
        description=(
            "Any file of at most 10 MiB, as the part `file`. Its type is told by its content. It is its owner's alone "
            f"until it is attached to a resource; unattached for 24 hours, it is removed. {REFUSALS}"
        ),
        request=UploadInput,
        response=FileShape,
        status=201,
        request_example={"file": "(the file)"},
        response_example=FILE_EXAMPLE,
    )
    def post(self, request: Request) -> HttpResponse:
        upload = parse(UploadInput, request)["file"]
        version = upload_file(actor=self.caller, sent=sent(upload))
        headers = {"Location": f"/api/v1/files/{version.file_id}"}
        return success(file_shape(version), status=201, headers=headers)


class OneFile(ApiView):
    """One file, to its owner and to whoever may read a resource that has it."""

    access = {"GET": PUBLIC, "DELETE": SIGNED_IN}
    token_scopes = {"GET": "read:resource", "DELETE": "delete:resource"}
    keeps_secrets = True

    @operation(
        "Read a file's data",
        description=(
            "To its owner, and to whoever may read a resource that it is attached to. `url` is a signed link to the "
            "content: always a download, for five minutes, whoever holds it. It is null while the file is not ready."
        ),
        response=FileShape,
        response_example=FILE_EXAMPLE,
        etag=True,
        errors=(NotFound,),
    )
    def get(self, request: Request, file_id: UUID) -> HttpResponse:
        version = file_for(self.caller, file_id)
        tags = file_tags(version)
        return not_modified(request, *tags) or success(file_shape(version), headers={"ETag": etag(tags[0])})

    @operation(
        "Delete a file",
        description="With all its versions. Not while a resource has it (409).",
        status=204,
        etag=True,
        errors=(Conflict,),
    )
    def delete(self, request: Request, file_id: UUID) -> HttpResponse:
        delete_file(actor=self.caller, file_id=file_id, precondition=partial(require_match, request))
        return no_content()


class FileContent(ApiView):
    """The way to a file's content."""

    access = {"GET": PUBLIC}
    token_scopes = {"GET": "read:resource"}
    keeps_secrets = True

    @operation(
        "Fetch a file",
        description="Leads to the signed link. 409 while the file is not ready.",
        status=302,
        errors=(NotFound, Conflict),
    )
    def get(self, request: Request, file_id: UUID) -> HttpResponse:
        return HttpResponseRedirect(content_link(self.caller, file_id))


class FileVersions(UploadView):
    """The contents that a file has had."""

    access = {"GET": PUBLIC, "POST": SIGNED_IN}
    token_scopes = {"GET": "read:resource", "POST": "write:resource"}
    file_limit = LARGEST_UPLOAD
    keeps_secrets = True

    @operation(
        "List the versions of a file",
        description="Newest first, each with a link of its own, to whoever may read the file.",
        response=FileVersionShape,
        many=True,
        response_example=[VERSION_EXAMPLE],
        errors=(NotFound,),
    )
    def get(self, request: Request, file_id: UUID) -> HttpResponse:
        return success([version_shape(version) for version in versions_of(self.caller, file_id)])

    @operation(
        "Upload a newer version of a file",
        description=(
            "For its owner. The file keeps its id, and what it was is kept; resources that have it show the newest "
            f"version. 409 at 100 versions. {REFUSALS}"
        ),
        request=UploadInput,
        response=FileShape,
        status=201,
        request_example={"file": "(the file)"},
        response_example={**FILE_EXAMPLE, "version": 2},
        errors=(NotFound, Conflict),
    )
    def post(self, request: Request, file_id: UUID) -> HttpResponse:
        upload = parse(UploadInput, request)["file"]
        version = add_version(actor=self.caller, file_id=file_id, sent=sent(upload))
        return success(file_shape(version), status=201, headers={"Location": f"/api/v1/files/{file_id}"})


class ResourceFiles(ApiView):
    """The files of a resource."""

    access = {"POST": SIGNED_IN}
    token_scopes = {"POST": "write:resource"}
    keeps_secrets = True

    @operation(
        "Attach a file",
        description=(
            "A file of one's own, to a resource that one may write; whoever may read the resource may then read the "
            "file. A `slot` (`cover`) holds one file. It is a write of the resource. 409 for a file that is there "
            "already, a slot that is taken, a file that has not been uploaded, and beyond 100 files."
        ),
        request=AttachmentInput,
        response=AttachedFileShape,
        status=201,
        request_example={"file": FILE_EXAMPLE["id"], "slot": "cover"},
        response_example=ATTACHED_EXAMPLE,
        errors=(Conflict, PreconditionFailed),
        etag=True,
    )
    def post(self, request: Request, resource_id: UUID) -> HttpResponse:
        wanted = parse(AttachmentInput, request)
        slot = wanted.get("slot", "")
        version, resource = attach_file(
            actor=self.caller,
            resource_id=resource_id,
            file_id=wanted["file"],
            slot=slot,
            precondition=partial(require_match, request),
        )
        headers = {"Location": f"/api/v1/files/{version.file_id}", "ETag": etag(resource.version)}
        return success({**file_shape(version), "slot": slot}, status=201, headers=headers)


class OneResourceFile(ApiView):
    """A file of a resource."""

    access = {"DELETE": SIGNED_IN}
    token_scopes = {"DELETE": "delete:resource"}

    @operation(
        "Take a file off a resource",
        description="It needs the right to write the resource. The file stays its owner's; unattached, for 24 hours.",
        status=204,
        etag=True,
        errors=(NotFound,),
    )
    def delete(self, request: Request, resource_id: UUID, file_id: UUID) -> HttpResponse:
        precondition = partial(require_match, request)
        detach_file(actor=self.caller, resource_id=resource_id, file_id=file_id, precondition=precondition)
        return no_content()
