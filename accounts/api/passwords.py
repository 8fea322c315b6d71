"""`/auth/forgot-password`, `/auth/reset-password`, `/auth/change-password`, `/auth/change-email`."""

from django.http import HttpResponse
from rest_framework.request import Request

from accounts.api.fields import PasswordField
from accounts.api.registration import EmailInput, TokenInput
from accounts.services import addresses, passwords
from core.api.access import PUBLIC, SIGNED_IN
from core.api.envelope import accepted, success
from core.api.operations import operation
from core.api.serializers import StrictSerializer, parse
from core.api.views import ApiView
from core.errors import InvalidCredentials, ReauthenticationRequired


class ForgotPassword(ApiView):
    access = {"POST": PUBLIC}
    rate_limit = "auth"
    authentication_classes = []

    @operation(
        "Ask for a link to set a new password",
        description="The answer, and its time, are the same whether or not there is an account. Older links are void.",
        request=EmailInput,
        status=202,
        request_example={"email": "olive@example.com"},
    )
    def post(self, request: Request) -> HttpResponse:
        passwords.request_password_reset(**parse(EmailInput, request))
        return accepted(message="If there is an account with this address, a link is on its way.")


class ResetPasswordInput(TokenInput):
    password = PasswordField()


class ResetPassword(ApiView):
    access = {"POST": PUBLIC}
    rate_limit = "auth"
    authentication_classes = []

    @operation(
        "Set a new password by a mailed link",
        description="The token serves once, within an hour. Every session of the account ends.",
        request=ResetPasswordInput,
        request_example={
            "token": "nkm_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG123456",
            "password": "a-new-horse-and-battery",
        },
    )
    def post(self, request: Request) -> HttpResponse:
        passwords.reset_password(**parse(ResetPasswordInput, request))
        return success(None, message="The password is set; sign in with it.")


class ChangePasswordInput(StrictSerializer):
    current_password = PasswordField()
    new_password = PasswordField()


class ChangePassword(ApiView):
    access = {"POST": SIGNED_IN}
    rate_limit = "auth"

    @operation(
        "Change one's password",
        description="Every other session of the account ends; this one goes on.",
        request=ChangePasswordInput,
        request_example={
            "current_password": "correct-horse-battery-staple",
            "new_password": "a-new-horse-and-battery",
        },
        errors=(InvalidCredentials,),
    )
    def post(self, request: Request) -> HttpResponse:
        passwords.change_password(actor=self.caller, **parse(ChangePasswordInput, request))
        return success(None, message="The password is changed; your other sessions have ended.")


class ChangeEmail(ApiView):
    access = {"POST": SIGNED_IN}
    rate_limit = "auth"

    @operation(
        "Change one's address",
        description=(
            "Needs a sign-in within the last ten minutes (`POST /auth/reauthenticate`). The new address confirms "
            "by a mailed link; then the old one is told."
        ),
        request=EmailInput,
        status=202,
        request_example={"email": "olive@example.org"},
        errors=(ReauthenticationRequired,),
    )
    def post(self, request: Request) -> HttpResponse:
        addresses.request_email_change(actor=self.caller, **parse(EmailInput, request))
        return accepted(message="A link to confirm the new address is on its way to it.")
