"""`/profile/avatar`: one's picture."""

from functools import partial
from typing import Final

from django.http import HttpResponse
from rest_framework.request import Request

from accounts.api.shapes import PROFILE_EXAMPLE, ProfileShape, profile_shape
from accounts.services import avatars
from core.api.access import SIGNED_IN
from core.api.concurrency import etag, require_match
from core.api.envelope import no_content, success
from core.api.operations import operation
from core.api.serializers import StrictSerializer, parse
from core.api.uploads import MEBIBYTE, UploadField, UploadView
from core.errors import PreconditionFailed

_LARGEST: Final = 5 * MEBIBYTE


class AvatarInput(StrictSerializer):
    file = UploadField(max_bytes=_LARGEST)


class Avatar(UploadView):
    access = {"POST": SIGNED_IN, "DELETE": SIGNED_IN}
    file_limit = _LARGEST

    @operation(
        "Upload one's picture",
        description=(
            "A JPEG, PNG or WebP picture (told by its content) of at most 5 MiB and 25 megapixels, as the part `file`. "
            "It is made anew, upright and without metadata, in three square sizes (WebP); of an animation the first "
            "frame is taken. Codes of a refusal: `not_an_image`, `too_many_pixels`, `broken_image`, `unsafe_name`."
        ),
        request=AvatarInput,
        response=ProfileShape,
        request_example={"file": "(the picture)"},
        response_example=PROFILE_EXAMPLE,
        etag=True,
    )
    def post(self, request: Request) -> HttpResponse:
        picture = parse(AvatarInput, request)["file"]
        user = avatars.set_avatar(actor=self.caller, picture=picture.content)
        return success(profile_shape(user), headers={"ETag": etag(user.version)})

    @operation(
        "Remove one's picture",
        description="There need not be one.",
        status=204,
        errors=(PreconditionFailed,),
        etag=True,
    )
    def delete(self, request: Request) -> HttpResponse:
        avatars.remove_avatar(
            actor=self.caller, user_id=self.caller.own_id, check_version=partial(require_match, request)
        )
        return no_content()
