"""The key set at /.well-known/jwks.json, and the ring that it shows."""

import base64

import jwt
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from jwt import PyJWKSet
from pytest_django import Settings

from accounts.models import User
from accounts.signing_keys import active_key
from accounts.tests.answers import tokens_of

SECRET = base64.b64encode(b"another-secret-of-32-bytes-here!").decode()


def test_another_service_can_verify_a_token_by_itself(owner: User, anonymous: Client) -> None:
    token = tokens_of(anonymous, owner)["access_token"]

    answer = anonymous.get("/.well-known/jwks.json")
    key = PyJWKSet.from_dict(answer.json())[jwt.get_unverified_header(token)["kid"]]

    claims = jwt.decode(token, key, algorithms=["ES256"], audience="nook-link", issuer="nook-link")
    assert claims["sub"] == str(owner.pk)
    assert answer.headers["Cache-Control"] == "public, max-age=300"


def test_it_shows_public_halves_only_of_the_whole_ring(anonymous: Client, settings: Settings) -> None:
    settings.JWT_KEYS = f"next:{SECRET},{settings.JWT_KEYS}"

    keys = anonymous.get("/.well-known/jwks.json").json()["keys"]

    assert [key["kid"] for key in keys] == ["next", "test"]
    assert {name for key in keys for name in key} == {"kty", "crv", "alg", "use", "kid", "x", "y"}


@pytest.mark.parametrize(
    "ring", ["", ",", "no-colon", ":" + SECRET, "id:short", "id:" + "A" * 42 + "!=", "id:" + SECRET + "AAAA"]
)
def test_a_ring_that_is_none_is_refused(settings: Settings, ring: str) -> None:
    settings.JWT_KEYS = ring

    with pytest.raises(ImproperlyConfigured, match="JWT_KEYS"):
        active_key()
