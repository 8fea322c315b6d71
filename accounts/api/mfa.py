"""`/auth/mfa…`: the second step of signing in, and setting it up."""

from typing import Any, Final

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from accounts.api import cookies
from accounts.api.credentials import CredentialField, PasskeyShape
from accounts.api.pairs import COOKIE, PAIR_EXAMPLE, SignedInShape, TransportField, answer_sign_in
from accounts.api.shapes import USER_EXAMPLE
from accounts.services import authenticator_apps, mfa_sign_in
from accounts.services.second_factors import METHODS
from accounts.services.totp import qr_svg
from core.api.access import PUBLIC, SIGNED_IN
from core.api.envelope import no_content, success
from core.api.fields import SecretField
from core.api.operations import operation
from core.api.serializers import StrictSerializer, parse
from core.api.views import ApiView
from core.errors import Conflict, InvalidCredentials, InvalidToken, NotFound, ReauthenticationRequired

MFA_TOKEN_EXAMPLE: Final = "nkc_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG123456"  # noqa: S105  # an example


STATE_EXAMPLE: Final = {
    "enabled": True,
    "required": False,
    "methods": ["totp", "recovery_code"],
    "totp": True,
    "recovery_codes_left": 9,
    "passkeys": [],
}
CODES_EXAMPLE: Final = {"recovery_codes": [f"7m3k-0zqd-x9wf-{number:04d}" for number in range(10)]}


class StateShape(serializers.Serializer[Any]):
    enabled = serializers.BooleanField(help_text="Whether signing in takes a second factor.")
    required = serializers.BooleanField(help_text="Whether one's role demands it.")  # type: ignore[assignment]  # a field of ours, named like an attribute of its base
    methods = serializers.ListField(child=serializers.CharField(), help_text="What signing in would offer now.")
    totp = serializers.BooleanField(help_text="Whether an authenticator app is confirmed.")
    recovery_codes_left = serializers.IntegerField()
    passkeys = PasskeyShape(many=True)


class AppSetupShape(serializers.Serializer[Any]):
    secret = serializers.CharField(help_text="Base32, to be typed where no camera is.")
    otpauth_uri = serializers.CharField()
    qr_svg = serializers.CharField(help_text="The QR code of `otpauth_uri` as an `<svg>` element.")


class RecoveryCodesShape(serializers.Serializer[Any]):
    recovery_codes = serializers.ListField(child=serializers.CharField(), help_text="Shown this once.")


class ConfirmInput(StrictSerializer):
    code = SecretField(max_length=100)


class SecondFactors(ApiView):
    access = {"GET": SIGNED_IN}
    open_before_enrollment = True

    @operation("Show one's two-factor sign-in", response=StateShape, response_example=STATE_EXAMPLE)
    def get(self, request: Request) -> HttpResponse:
        return success(authenticator_apps.describe_second_factors(actor=self.caller))


class AuthenticatorApp(ApiView):
    access = {"POST": SIGNED_IN, "DELETE": SIGNED_IN}
    open_before_enrollment = True

    @operation(
        "Begin to set up an authenticator app",
        description=(
            "The secret waits an hour for its first code at `POST /auth/mfa/totp/confirm`; nothing changes before "
            "that. Where an app is confirmed already, the new one will replace it. Needs a recent sign-in."
        ),
        response=AppSetupShape,
        response_example={
            "secret": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
            "otpauth_uri": "otpauth://totp/Nook%20Link:olive%40example.com?secret=JBSWY3DP&issuer=Nook%20Link",
            "qr_svg": '<svg xmlns="http://www.w3.org/2000/svg" width="180" height="180">…</svg>',
        },
        errors=(ReauthenticationRequired,),
    )
    def post(self, request: Request) -> HttpResponse:
        setup = authenticator_apps.begin_app(actor=self.caller)
        return success({"secret": setup.secret, "otpauth_uri": setup.otpauth_uri, "qr_svg": qr_svg(setup.otpauth_uri)})

    @operation(
        "Remove the authenticator app",
        description=(
            "Ends every other session. Without another method two-factor sign-in is off then, which a role that "
            "demands it does not allow: 409. Needs a recent sign-in."
        ),
        status=204,
        errors=(ReauthenticationRequired, NotFound, Conflict),
    )
    def delete(self, request: Request) -> HttpResponse:
        authenticator_apps.remove_app(actor=self.caller)
        return no_content()


class ConfirmAuthenticatorApp(ApiView):
    access = {"POST": SIGNED_IN}
    rate_limit = "auth"
    open_before_enrollment = True

    @operation(
        "Turn two-factor sign-in on by the app's first code",
        description=(
            "Answers ten recovery codes, which are shown this once; older ones are void. This session has two factors "
            "from then on, every other one ends. Needs a recent sign-in."
        ),
        request=ConfirmInput,
        response=RecoveryCodesShape,
        request_example={"code": "492039"},
        response_example=CODES_EXAMPLE,
        errors=(ReauthenticationRequired, InvalidCredentials, Conflict),
    )
    def post(self, request: Request) -> HttpResponse:
        codes = authenticator_apps.confirm_app(actor=self.caller, **parse(ConfirmInput, request))
        return success({"recovery_codes": codes})


class RecoveryCodes(ApiView):
    access = {"POST": SIGNED_IN}
    open_before_enrollment = True

    @operation(
        "Make new recovery codes",
        description="Answers ten, shown this once; older ones are void. Needs a recent sign-in.",
        response=RecoveryCodesShape,
        response_example=CODES_EXAMPLE,
        errors=(ReauthenticationRequired, Conflict),
    )
    def post(self, request: Request) -> HttpResponse:
        return success({"recovery_codes": authenticator_apps.renew_recovery_codes(actor=self.caller)})


class VerifyInput(StrictSerializer):
    mfa_token = SecretField(max_length=200)
    method = serializers.CharField(max_length=40, help_text="One of the `methods` that the sign-in named.")
    code = SecretField(required=False, max_length=100)
    credential = CredentialField(required=False, help_text="What the browser made of `passkey_options`.")
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
