"""`/auth/mfa/verify`: the second step of signing in."""

from typing import Any, Final

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from accounts.api import cookies
from accounts.api.pairs import COOKIE, PAIR_EXAMPLE, SignedInShape, TransportField, answer_sign_in
from accounts.api.shapes import USER_EXAMPLE
from accounts.services import mfa_sign_in
from accounts.services.second_factors import METHODS
from core.api.access import PUBLIC
from core.api.fields import SecretField
from core.api.operations import operation
from core.api.serializers import StrictSerializer, parse
from core.api.views import ApiView
from core.errors import InvalidCredentials, InvalidToken

MFA_TOKEN_EXAMPLE: Final = "nkc_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG123456"  # noqa: S105  # an example


class VerifyInput(StrictSerializer):
    mfa_token = SecretField(max_length=200)
    method = serializers.CharField(max_length=40, help_text="One of the `methods` that the sign-in named.")
    code = SecretField(required=False, max_length=100)
    credential = serializers.DictField(required=False, help_text="What the browser made of the passkey's options.")
    token_transport = TransportField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse an unknown method, and a body without the proof that its method takes."""
        factor = METHODS.get(attrs["method"])
        if factor is None:
            names = ", ".join(METHODS)
            raise _refusal("method", "invalid_choice", f"Give one of {names}.")
        if factor.takes not in attrs:
            raise _refusal(factor.takes, "required", "This field is required.")
        return attrs


class VerifySecondFactor(ApiView):
    access = {"POST": PUBLIC}
    rate_limit = "auth"
    ignored_cookies = frozenset({cookies.DEVICE})
    authentication_classes = []

    @operation(
        "Finish signing in with the second factor",
        description=(
            "The `mfa_token` serves five minutes, five tries and one success; 401 `INVALID_TOKEN` means that the "
            "sign-in has to begin again, 401 `INVALID_CREDENTIALS` that the code was wrong or has served before. Wrong "
            "codes count for the account: after five within 15 minutes each further try waits."
        ),
        request=VerifyInput,
        response=SignedInShape,
        request_example={"mfa_token": MFA_TOKEN_EXAMPLE, "method": "totp", "code": "492039"},
        response_example={**PAIR_EXAMPLE, "user": USER_EXAMPLE},
        errors=(InvalidToken, InvalidCredentials),
    )
    def post(self, request: Request) -> HttpResponse:
        body = parse(VerifyInput, request)
        opened = mfa_sign_in.verify_second_factor(
            mfa_token=body["mfa_token"],
            method=body["method"],
            given=body[METHODS[body["method"]].takes],
            device_token=request.COOKIES.get(cookies.DEVICE, ""),
        )
        return answer_sign_in(opened, by_cookie=body["token_transport"] == COOKIE)


def _refusal(field: str, code: str, message: str) -> serializers.ValidationError:
    return serializers.ValidationError({field: [serializers.ErrorDetail(message, code=code)]})
