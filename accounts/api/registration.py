"""`/auth/register`, `/auth/verify-email`, `/auth/resend-verification`."""

from typing import Any

from django.conf import settings
from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from accounts.api.fields import AddressField, PasswordField
from accounts.services import addresses, registration
from core.api.access import PUBLIC
from core.api.envelope import accepted, success
from core.api.fields import NameField, SecretField
from core.api.operations import operation
from core.api.serializers import StrictSerializer, parse
from core.api.views import ApiView
from core.errors import Conflict


class RegisterInput(StrictSerializer):
    email = AddressField()
    password = PasswordField()
    name = NameField(max_length=255)


class RegisteredShape(serializers.Serializer[Any]):
    email = serializers.EmailField()
    verification_required = serializers.BooleanField()


class Register(ApiView):
    access = {"POST": PUBLIC}
    rate_limit = "auth"
    authentication_classes = []

    @operation(
        "Register",
        description=(
            "Makes an account and mails a link that confirms the address. The answer is the same for an address "
            "that has an account; its owner is told by mail. Passwords have 10 to 128 characters."
        ),
        request=RegisterInput,
        response=RegisteredShape,
        status=201,
        request_example={
            "email": "olive@example.com",
            "password": "correct-horse-battery-staple",
            "name": "Olive Owner",
        },
        response_example={"email": "olive@example.com", "verification_required": True},
    )
    def post(self, request: Request) -> HttpResponse:
        body = parse(RegisterInput, request)
        registration.register(**body)
        required = settings.EMAIL_VERIFICATION_REQUIRED
        return success({"email": body["email"], "verification_required": required}, status=201)


class TokenInput(StrictSerializer):
    token = SecretField(max_length=200)


class VerifiedShape(serializers.Serializer[Any]):
    email = serializers.EmailField()
    email_verified = serializers.BooleanField()


class VerifyEmail(ApiView):
    access = {"POST": PUBLIC}
    rate_limit = "auth"
    authentication_classes = []

    @operation(
        "Confirm an address",
        description="Takes the `token` of a mailed link, of a new account or a changed address; 24 hours, once.",
        request=TokenInput,
        response=VerifiedShape,
        request_example={"token": "nkm_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG123456"},
        response_example={"email": "olive@example.com", "email_verified": True},
        errors=(Conflict,),
    )
    def post(self, request: Request) -> HttpResponse:
        user = addresses.confirm_address(token=parse(TokenInput, request)["token"])
        return success({"email": user.email, "email_verified": user.email_verified})


class EmailInput(StrictSerializer):
    email = AddressField()


class ResendVerification(ApiView):
    access = {"POST": PUBLIC}
    rate_limit = "auth"
    authentication_classes = []

    @operation(
        "Send the confirmation link again",
        description="The answer is the same whether or not an account waits for a link. Older links are void.",
        request=EmailInput,
        status=202,
        request_example={"email": "olive@example.com"},
    )
    def post(self, request: Request) -> HttpResponse:
        registration.request_verification(**parse(EmailInput, request))
        return accepted(message="If an account waits for this address to be confirmed, a link is on its way.")
