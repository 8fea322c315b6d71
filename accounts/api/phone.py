"""`/profile/phone`: proving the telephone number of one's profile."""

from django.http import HttpResponse
from rest_framework.request import Request

from accounts.api.shapes import PROFILE_EXAMPLE, ProfileShape, profile_shape
from accounts.services import phones
from core.api.access import SIGNED_IN
from core.api.concurrency import etag
from core.api.envelope import accepted, success
from core.api.fields import SecretField
from core.api.operations import operation
from core.api.serializers import StrictSerializer, parse
from core.api.views import ApiView
from core.errors import InvalidCredentials


class CodeInput(StrictSerializer):
    code = SecretField(max_length=20)


class ConfirmPhone(ApiView):
    access = {"POST": SIGNED_IN}
    rate_limit = "auth"

    @operation(
        "Prove one's telephone number",
        description=(
            "The code is in the text message that `PATCH /profile` with a `phone` sends. It serves once, within ten "
            "minutes and five tries; wrong, used and expired ones get the same answer."
        ),
        request=CodeInput,
        response=ProfileShape,
        request_example={"code": "123456"},
        response_example=PROFILE_EXAMPLE,
        errors=(InvalidCredentials,),
        etag=True,
    )
    def post(self, request: Request) -> HttpResponse:
        user = phones.confirm_phone(actor=self.caller, **parse(CodeInput, request))
        return success(profile_shape(user), headers={"ETag": etag(user.version)})


class ResendPhoneCode(ApiView):
    access = {"POST": SIGNED_IN}
    rate_limit = "auth"

    @operation(
        "Send the code for one's telephone number again",
        description=(
            "A new code, which voids the one before. Three at once and then one every five minutes, ten in a day, for "
            "a person and for a number. 409 when no number waits for a code."
        ),
        status=202,
    )
    def post(self, request: Request) -> HttpResponse:
        phones.resend_code(actor=self.caller)
        return accepted(message="A code is on its way to your telephone.")
