"""The bearer token of the `Authorization` header, for DRF."""

from typing import Any

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts.identity import identify
from core.errors import InvalidToken
from core.permissions import Caller


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer <access token>`; no header (or another scheme) leaves the caller anonymous."""

    def authenticate(self, request: Request) -> tuple[Caller, dict[str, Any]] | None:
        scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        if not token.strip():
            raise InvalidToken
        return identify(token.strip())

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
