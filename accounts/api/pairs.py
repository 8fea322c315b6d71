"""What signing in answers: a pair of tokens, the refresh token in the body or as a cookie."""

from typing import Any, Final

from django.conf import settings
from django.http import HttpResponse
from rest_framework import serializers

from accounts.api import cookies
from accounts.api.shapes import UserShape, user_shape
from accounts.services.mfa_challenges import LIFETIME, MfaChallenge
from accounts.services.sessions import SignIn
from core.api.envelope import success

COOKIE: Final = "cookie"
PAIR_EXAMPLE: Final = {
    "access_token": "eyJhbGciOiJFUzI1NiIsImtpZCI6IjFmM2UwYTdjIn0.eyJzdWIiOiIwMWExIn0.c2lnbmF0dXJl",
    "refresh_token": "nkr_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG123456",
    "token_type": "Bearer",
    "expires_in": 900,
}


class TransportField(serializers.ChoiceField):
    """How the refresh token travels: in the body, or as an HttpOnly cookie."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"choices": ["body", COOKIE], "default": "body", **options})


class AccessShape(serializers.Serializer[Any]):
    access_token = serializers.CharField()
    token_type = serializers.CharField()
    expires_in = serializers.IntegerField()


class PairShape(AccessShape):
    refresh_token = serializers.CharField(required=False, help_text="Left out when it travels as a cookie.")


class SignedInShape(PairShape):
    user = UserShape()


class LoginShape(serializers.Serializer[Any]):
    """Tokens and user; or, of an account with two-factor sign-in, what the second step needs."""

    access_token = serializers.CharField(required=False)
    token_type = serializers.CharField(required=False)
    expires_in = serializers.IntegerField(help_text="Seconds that the access token, or the `mfa_token`, serves.")
    refresh_token = serializers.CharField(required=False, help_text="Left out when it travels as a cookie.")
    user = UserShape(required=False)
    mfa_required = serializers.BooleanField(required=False, help_text="There and true where a second step follows.")
    mfa_token = serializers.CharField(required=False, help_text="Good for `POST /auth/mfa/verify` and nothing else.")
    methods = serializers.ListField(child=serializers.CharField(), required=False)
    passkey_options = serializers.JSONField(
        required=False, help_text="What `navigator.credentials.get` takes, where `passkey` is one of the methods."
    )


def answer_sign_in(opened: SignIn | MfaChallenge, *, by_cookie: bool) -> HttpResponse:
    """Return what every way of signing in answers: tokens and user, or what the second step needs.

    With the tokens the device is known from now on.
    """
    if isinstance(opened, MfaChallenge):
        return success(_challenge_part(opened))
    response = pair_answer(opened, by_cookie=by_cookie, user=user_shape(opened.user))
    cookies.set_device_cookie(response, opened.device_token)
    return response


def pair_answer(opened: SignIn, *, by_cookie: bool, **more: Any) -> HttpResponse:
    """Return the tokens, the refresh token in the body or as a cookie."""
    if not by_cookie:
        return success({**access_part(opened), "refresh_token": opened.refresh_token, **more})
    response = success({**access_part(opened), **more})
    cookies.set_refresh_cookie(response, opened.refresh_token)
    return response


def access_part(opened: SignIn) -> dict[str, Any]:
    """Return the access token and what is to be known of it."""
    return {
        "access_token": opened.access_token,
        "token_type": "Bearer",
        "expires_in": settings.ACCESS_TOKEN_SECONDS,
    }


def _challenge_part(challenge: MfaChallenge) -> dict[str, Any]:
    return {
        "mfa_required": True,
        "mfa_token": challenge.mfa_token,
        "methods": challenge.methods,
        "expires_in": int(LIFETIME.total_seconds()),
        **{f"{method}_options": options for method, options in challenge.options.items()},
    }
