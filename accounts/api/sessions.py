"""`/auth/login`, `/auth/refresh-token`, `/auth/logout…`, `/auth/reauthenticate`, `/auth/sessions`."""

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from accounts.api import cookies
from accounts.api.credentials import REQUEST_OPTIONS_EXAMPLE, CredentialField, OptionsShape
from accounts.api.fields import AddressField, PasswordField
from accounts.api.pairs import (
    COOKIE,
    PAIR_EXAMPLE,
    AccessShape,
    LoginShape,
    PairShape,
    TransportField,
    access_part,
    answer_sign_in,
    pair_answer,
)
from accounts.api.shapes import SESSION_EXAMPLE, USER_EXAMPLE, SessionShape, session_shape
from accounts.models import Session
from accounts.services import mfa_sign_in, refreshing, sessions
from accounts.services.sessions import SignIn
from core.api.access import PUBLIC, SIGNED_IN
from core.api.envelope import no_content, success
from core.api.fields import SecretField
from core.api.operations import operation
from core.api.pagination import paginate
from core.api.query import CreatedQuery, parse_query, trimmed
from core.api.serializers import StrictSerializer, parse
from core.api.views import ApiView
from core.errors import (
    AccountDisabled,
    EmailNotVerified,
    InvalidCredentials,
    InvalidToken,
    NotFound,
    PermissionDenied,
    SessionRevoked,
    TokenExpired,
    TokenReused,
    ValidationFailed,
)


class LoginInput(StrictSerializer):
    email = AddressField()
    password = PasswordField()
    token_transport = TransportField()


class Login(ApiView):
    access = {"POST": PUBLIC}
    rate_limit = "auth"
    ignored_cookies = frozenset({cookies.DEVICE})
    authentication_classes = []

    @operation(
        "Sign in",
        description=(
            'With `"token_transport": "cookie"` the refresh token becomes an HttpOnly cookie and is left out of the '
            "body. After five failures for one account within 15 minutes each further try waits. An account with "
            "two-factor sign-in gets `mfa_required`, `mfa_token` and `methods` instead: go on with "
            "`POST /auth/mfa/verify`."
        ),
        request=LoginInput,
        response=LoginShape,
        request_example={"email": "olive@example.com", "password": "correct-horse-battery-staple"},
        response_example={**PAIR_EXAMPLE, "user": USER_EXAMPLE},
        errors=(InvalidCredentials, EmailNotVerified, AccountDisabled),
    )
    def post(self, request: Request) -> HttpResponse:
        body = parse(LoginInput, request)
        device_token = request.COOKIES.get(cookies.DEVICE, "")
        opened = sessions.sign_in(email=body["email"], password=body["password"], device_token=device_token)
        return answer_sign_in(opened, by_cookie=body["token_transport"] == COOKIE)


class RefreshInput(StrictSerializer):
    refresh_token = SecretField(required=False, max_length=200)


class RefreshToken(ApiView):
    access = {"POST": PUBLIC}
    # An expired access token may come along: it is what the client is here to replace.
    authentication_classes = []

    @operation(
        "Get a new pair of tokens",
        description=(
            "Each refresh token serves once. A second use within 10 seconds (two tabs, a lost answer) gets a working "
            "pair of the same session; a later one ends the session: 401 `TOKEN_REUSED`. Without `refresh_token` the "
            "cookie is taken, and the request needs the header `X-Requested-With` and an origin of this site."
        ),
        request=RefreshInput,
        response=PairShape,
        request_example={"refresh_token": PAIR_EXAMPLE["refresh_token"]},
        response_example=PAIR_EXAMPLE,
        errors=(InvalidToken, TokenExpired, TokenReused, SessionRevoked, PermissionDenied),
    )
    def post(self, request: Request) -> HttpResponse:
        token = parse(RefreshInput, request).get("refresh_token")
        if token is not None:
            return pair_answer(refreshing.refresh_session(refresh_token=token), by_cookie=False)
        return pair_answer(refreshing.refresh_session(refresh_token=_cookie_token(request)), by_cookie=True)


class Logout(ApiView):
    access = {"POST": SIGNED_IN}
    open_before_enrollment = True
    open_on_behalf = True

    @operation("Sign out of this session", description="Its tokens stop at once, on every server.", status=204)
    def post(self, request: Request) -> HttpResponse:
        sessions.sign_out(actor=self.caller)
        return _signed_out()


class LogoutAll(ApiView):
    access = {"POST": SIGNED_IN}
    open_before_enrollment = True

    @operation(
        "Sign out of every session",
        description="Every access and refresh token of the account stops at once; personal access tokens stay.",
        status=204,
    )
    def post(self, request: Request) -> HttpResponse:
        sessions.end_sessions(user_id=self.caller.own_id, actor=self.caller, reason="signed_out_everywhere")
        return _signed_out()


class ReauthenticateInput(StrictSerializer):
    password = PasswordField(required=False)
    code = SecretField(required=False, max_length=100, help_text="Of the authenticator app, or a recovery code.")

    credential = CredentialField(required=False, help_text="What the browser made of the options for a passkey.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a body with none of them, or with several."""
        if len(attrs) != 1:
            message = serializers.ErrorDetail("Give a password, or a code.", code="required")
            raise serializers.ValidationError({"password": [message]})
        return attrs


class Reauthenticate(ApiView):
    access = {"POST": SIGNED_IN}
    open_before_enrollment = True
    rate_limit = "auth"

    @operation(
        "Confirm that it is oneself",
        description=(
            "Answers an access token with a fresh sign-in time, as sensitive operations demand. An account with "
            "two-factor sign-in gives a `code` (or the `credential` of a passkey, after "
            "`/auth/reauthenticate/options`), and its session has two factors from then on; others a `password`."
        ),
        request=ReauthenticateInput,
        response=AccessShape,
        request_example={"password": "correct-horse-battery-staple"},
        response_example={name: PAIR_EXAMPLE[name] for name in ("access_token", "token_type", "expires_in")},
        errors=(InvalidCredentials,),
    )
    def post(self, request: Request) -> HttpResponse:
        body = parse(ReauthenticateInput, request)
        renew: dict[str, Callable[..., SignIn]] = {
            "password": sessions.reauthenticate,
            "code": mfa_sign_in.reauthenticate_by_code,
            "credential": mfa_sign_in.reauthenticate_by_passkey,
        }
        return success(access_part(renew[next(iter(body))](actor=self.caller, **body)))


class ReauthenticateOptions(ApiView):
    access = {"POST": SIGNED_IN}
    open_before_enrollment = True
    rate_limit = "auth"

    @operation(
        "Begin to confirm with a passkey that it is oneself",
        description=(
            "`options` are for `PublicKeyCredential.parseRequestOptionsFromJSON`; they serve once, within five "
            "minutes, in this session. 404 for an account without a passkey."
        ),
        response=OptionsShape,
        response_example={"options": REQUEST_OPTIONS_EXAMPLE},
        errors=(NotFound,),
    )
    def post(self, request: Request) -> HttpResponse:
        return success({"options": mfa_sign_in.begin_reauthentication(actor=self.caller)})


SessionListQuery: Final = trimmed(CreatedQuery, SessionShape)


class Sessions(ApiView):
    access = {"GET": SIGNED_IN}

    @operation(
        "List one's sessions",
        query=SessionListQuery,
        response=SessionShape,
        many=True,
        paginated=True,
        response_example=[SESSION_EXAMPLE],
    )
    def get(self, request: Request) -> HttpResponse:
        return paginate(
            Session.objects.live().filter(user_id=self.caller.own_id),
            request,
            parse_query(SessionListQuery, request),
            shape=lambda session: session_shape(session, current=self.caller.session_id),
            sorts={"created_at": "created_at"},
            default_sort="-created_at",
        )


class OneSession(ApiView):
    access = {"DELETE": SIGNED_IN}

    @operation("End one of one's sessions", description="Its tokens stop at once, on every server.", status=204)
    def delete(self, request: Request, session_id: UUID) -> HttpResponse:
        sessions.end_session(actor=self.caller, session_id=session_id)
        return no_content()


def _cookie_token(request: Request) -> str:
    token = request.COOKIES.get(cookies.REFRESH)
    if token is None:
        raise ValidationFailed.of("refresh_token", "required", "Give the refresh token, in the body or as the cookie.")
    cookies.refuse_foreign_page(request)
    return token


def _signed_out() -> HttpResponse:
    response = no_content()
    cookies.clear_refresh_cookie(response)
    return response
