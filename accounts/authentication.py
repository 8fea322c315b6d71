"""The bearer token of the `Authorization` header, for DRF."""

from typing import Any

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts.identity import identify
from accounts.token_identity import identify_api_token, is_api_token
from core.errors import InvalidToken
from core.permissions import Caller


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer <access token or personal access token>`; without it the caller is anonymous."""

    def authenticate(self, request: Request) -> tuple[Caller, dict[str, Any]] | None:
        scheme, _, given = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        token = given.strip()
        if not token:
            raise InvalidToken
        return (identify_api_token(token), {}) if is_api_token(token) else identify(token)

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
