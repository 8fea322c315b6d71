"""The cookies of sign-in, and the rule that keeps other sites from using them.

`nook_refresh` holds the refresh token of clients that asked for `token_transport: "cookie"`;
`nook_device` tells a device that its user has signed in from before; `nook_flow_…` holds the secret of one way
to a provider and back, so that only the browser that set out can finish it. Scripts read none of them, other
sites cause none to be sent, and a request that lives on the first must also show that a page of ours
sent it: no foreign `Origin`, no `Sec-Fetch-Site: cross-site`, and a header that a form cannot set.
"""

from typing import Final

from django.conf import settings
from django.http import HttpResponse
from rest_framework.request import Request

from accounts.tokens import digest
from core.errors import Detail, PermissionDenied

REFRESH: Final = "nook_refresh"
DEVICE: Final = "nook_device"
PATH: Final = "/api/v1/auth"
FLOW_PATH: Final = f"{PATH}/oauth"
PROOF_HEADER: Final = "X-Requested-With"
_DEVICE_SECONDS: Final = 365 * 24 * 3600
_FLOW_SECONDS: Final = 600


def set_refresh_cookie(response: HttpResponse, token: str) -> None:
    """Hand the refresh token to the browser, out of reach of its scripts."""
    _set(response, REFRESH, token, settings.REFRESH_TOKEN_DAYS * 24 * 3600)


def set_device_cookie(response: HttpResponse, token: str) -> None:
    """Let this device be known at its next sign-in."""
    _set(response, DEVICE, token, _DEVICE_SECONDS)


def clear_refresh_cookie(response: HttpResponse) -> None:
    """Take the refresh token back."""
    response.delete_cookie(REFRESH, path=PATH, samesite="Strict")


def flow_cookie(state: str) -> str:
    """Return the name of the cookie of the flow with this state: each has its own, so that two tabs do not meet."""
    return f"nook_flow_{digest(state)[:16]}"


def set_flow_cookie(response: HttpResponse, state: str, secret: str) -> None:
    """Bind a flow to this browser (RFC 9700, 4.7.1)."""
    _set(response, flow_cookie(state), secret, _FLOW_SECONDS, path=FLOW_PATH)


def clear_flow_cookie(response: HttpResponse, state: str) -> None:
    """Take the secret of a finished flow back."""
    response.delete_cookie(flow_cookie(state), path=FLOW_PATH, samesite="Strict")


def refuse_foreign_page(request: Request) -> None:
    """Raise `PermissionDenied` unless a page of ours has sent this request."""
    if not request.META.get("HTTP_X_REQUESTED_WITH"):
        raise _refusal(f"A request with the refresh cookie needs the header {PROOF_HEADER}.")
    origin = request.META.get("HTTP_ORIGIN")
    if origin is not None and not _is_ours(request, origin):
        raise _refusal("The refresh cookie is not for pages of other sites.")
    if origin is None and request.META.get("HTTP_SEC_FETCH_SITE", "same-origin") not in {"same-origin", "none"}:
        raise _refusal("The refresh cookie is not for pages of other sites.")


def _is_ours(request: Request, origin: str) -> bool:
    own = {f"{scheme}://{request._request.get_host()}" for scheme in ("http", "https")}
    return origin in {*own, settings.PUBLIC_URL, *getattr(settings, "CORS_ALLOWED_ORIGINS", ())}


def _refusal(message: str) -> PermissionDenied:
    return PermissionDenied(message, details=[Detail(None, "csrf", message)])


def _set(response: HttpResponse, name: str, value: str, seconds: int, *, path: str = PATH) -> None:
    response.set_cookie(name, value, max_age=seconds, path=path, secure=True, httponly=True, samesite="Strict")
