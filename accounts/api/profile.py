"""`/profile`: oneself, as one writes it."""

from functools import partial
from typing import Any, Final

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from accounts.api.fields import LocaleField, TimeZoneField
from accounts.api.shapes import PROFILE_EXAMPLE, ProfileShape, profile_shape
from accounts.models import User
from accounts.services import own_account, profiles
from core.api.access import ANY_TOKEN, PUBLIC, SIGNED_IN
from core.api.concurrency import etag, not_modified, require_match
from core.api.envelope import no_content, success
from core.api.fields import NameField, PlainTextField, SecretField
from core.api.operations import operation
from core.api.serializers import StrictSerializer, parse
from core.api.views import ApiView
from core.errors import Conflict, PreconditionFailed, ReauthenticationRequired

_PHONE: Final = (
    "Another `phone` (E.164) needs a sign-in within the last ten minutes; a code is sent to it by text message, for "
    "`POST /profile/phone/confirm`. null takes it away. Codes of a refusal: `invalid_phone`, `not_a_mobile`, "
    "`country_not_served`, `sms_not_configured`."
)


class ProfileInput(StrictSerializer):
    """The profile whole (PUT) or in part (PATCH)."""

    ignored_fields = frozenset({"id", "email", "avatar", "avatar_sizes", "phone_verified", "created_at", "updated_at"})

    name = NameField(max_length=255)
    bio = PlainTextField(max_length=2000, allow_blank=True, default="")
    locale = LocaleField(default="en")
    time_zone = TimeZoneField(default="UTC")
    phone = serializers.CharField(required=False, allow_null=True, max_length=40)


class Profile(ApiView):
    access = {"GET": SIGNED_IN, "PUT": SIGNED_IN, "PATCH": SIGNED_IN, "DELETE": SIGNED_IN}
    token_scopes = {"GET": ANY_TOKEN}

    @operation("Show one's profile", response=ProfileShape, response_example=PROFILE_EXAMPLE, etag=True)
    def get(self, request: Request) -> HttpResponse:
        user = User.objects.get(pk=self.caller.own_id)
        return not_modified(request, user.version) or success(profile_shape(user), headers={"ETag": etag(user.version)})

    @operation(
        "Replace one's profile",
        description=f"What is left out goes back to its default, but for the telephone number, which stays. {_PHONE}",
        request=ProfileInput,
        response=ProfileShape,
        request_example={"name": "Olive Owner", "bio": "", "locale": "en", "time_zone": "Europe/Vienna"},
        response_example=PROFILE_EXAMPLE,
        errors=(PreconditionFailed, ReauthenticationRequired),
        etag=True,
    )
    def put(self, request: Request) -> HttpResponse:
        return self._change(request, parse(ProfileInput, request))

    @operation(
        "Change one's profile",
        description=_PHONE,
        request=ProfileInput,
        response=ProfileShape,
        request_example={"time_zone": "Europe/Vienna"},
        response_example=PROFILE_EXAMPLE,
        errors=(PreconditionFailed, ReauthenticationRequired),
        etag=True,
    )
    def patch(self, request: Request) -> HttpResponse:
        return self._change(request, parse(ProfileInput, request, partial=True))

    @operation(
        "Delete one's account",
        description=(
            "Needs a recent sign-in. Every session and token ends; for 30 days (`ACCOUNT_GRACE_DAYS`) the mailed link "
            "brings the account back, then it is anonymised for good. The last administrator is refused."
        ),
        status=204,
        errors=(Conflict, PreconditionFailed, ReauthenticationRequired),
        etag=True,
    )
    def delete(self, request: Request) -> HttpResponse:
        own_account.delete_own_account(actor=self.caller, check_version=partial(require_match, request))
        return no_content()

    def _change(self, request: Request, changes: dict[str, Any]) -> HttpResponse:
        user = profiles.change_profile(
            actor=self.caller, changes=changes, check_version=partial(require_match, request)
        )
        return success(profile_shape(user), headers={"ETag": etag(user.version)})


class RestoreInput(StrictSerializer):
    token = SecretField(max_length=200)


class RestoredShape(serializers.Serializer[Any]):
    email = serializers.EmailField()


class RestoreAccount(ApiView):
    access = {"POST": PUBLIC}
    rate_limit = "auth"
    authentication_classes = []

    @operation(
        "Take back the deletion of one's account",
        description="Takes the `token` of the link that was mailed at the deletion. Then one signs in as before.",
        request=RestoreInput,
        response=RestoredShape,
        request_example={"token": "nkm_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG123456"},
        response_example={"email": "olive@example.com"},
        errors=(Conflict,),
    )
    def post(self, request: Request) -> HttpResponse:
        user = own_account.restore_own_account(token=parse(RestoreInput, request)["token"])
        return success({"email": user.email})
