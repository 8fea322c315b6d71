"""What every request passes (`EdgeMiddleware`), and what only pages pass.

An API path goes through the edge and nothing else: no session, no CSRF cookie, no message store. The page
classes are Django's and our libraries' own, told to look away from API paths.
"""

import random
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from corsheaders.middleware import CorsMiddleware
from csp.constants import NONCE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import DisallowedHost, MiddlewareNotUsed
from django.core.handlers.exception import response_for_exception
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.http.response import HttpResponseBase, ResponseHeaders
from django.middleware.csrf import CsrfViewMiddleware
from whitenoise.middleware import WhiteNoiseMiddleware

from core.addresses import client_address
from core.api.middleware import enveloped
from core.context import WorkContext, working
from core.headers import put, put_if_missing
from core.logging import access_line, redact_text
from core.metrics import ACTIVE, count_request
from core.permissions import Caller

GetResponse = Callable[[HttpRequest], HttpResponseBase]

API_PATHS: Final = ("/api", "/health", "/metrics", "/.well-known/")
"""Paths that no page lives under; they answer machines."""

_PROBED_PATHS: Final = ("/health", "/metrics")
"""What load balancers and Prometheus ask: by address, and over plain HTTP inside the network."""

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_KNOWN_HOSTS_AT_MOST: Final = 256
_BODILESS: Final = frozenset({204, 304})
_API_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"
_SECURITY_HEADERS: Final = ResponseHeaders(
    {
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "Cross-Origin-Opener-Policy": "same-origin",
        "X-Frame-Options": "DENY",
    }
)


class EdgeMiddleware:
    """The outermost one: identifiers, host, HTTPS, security headers, the access line and the request's metrics."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self._known_hosts: set[str] = set()
        self._active = ACTIVE.labels(settings.SERVICE_NAME)
        self._checks_https = bool(settings.SECURE_SSL_REDIRECT or settings.SECURE_HSTS_SECONDS)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        context = _context_of(request.META)
        self._active.inc()
        try:
            with working(context):
                response = enveloped(request, self._refusal(request) or self.get_response(request))
                self._set_headers(request, response, context)
                _record(request, response, context, time.perf_counter() - started)
        finally:
            self._active.dec()
        return response

    def _refusal(self, request: HttpRequest) -> HttpResponseBase | None:
        if request.path_info.startswith(_PROBED_PATHS):
            return None
        host = request.META.get("HTTP_HOST", "")
        if host not in self._known_hosts:
            try:
                request.get_host()
            except DisallowedHost as error:
                return response_for_exception(request, error)
            if len(self._known_hosts) < _KNOWN_HOSTS_AT_MOST:
                self._known_hosts.add(host)
        if settings.SECURE_SSL_REDIRECT and not request.is_secure():
            return HttpResponsePermanentRedirect(f"https://{request.get_host()}{request.get_full_path()}")
        return None

    def _set_headers(self, request: HttpRequest, response: HttpResponseBase, context: WorkContext) -> None:
        headers = response.headers
        put(headers, "X-Request-ID", context.request_id)
        # Checked and encoded once, not for every answer.
        headers._store.update(_SECURITY_HEADERS._store)
        if is_api(request):
            put_if_missing(headers, "Content-Security-Policy", _API_POLICY)
        if isinstance(response, HttpResponse) and response.status_code not in _BODILESS:
            # Without it the server would send the body in chunks.
            put_if_missing(headers, "Content-Length", str(len(response.content)))
        if self._checks_https and request.is_secure():
            headers["Strict-Transport-Security"] = _hsts()


def is_api(request: HttpRequest) -> bool:
    """Return whether the request's path is a machine's, which needs none of a page's middleware."""
    return request.path_info.startswith(API_PATHS)


class _OnPages:
    """Mixed into a middleware, keeps it away from API paths."""

    get_response: Callable[[HttpRequest], Any]

    def __init__(self, get_response: GetResponse) -> None:
        super().__init__(get_response)  # type: ignore[call-arg]  # the middleware that this is mixed into
        self._behind_pages = _behind_pages(get_response)

    def __call__(self, request: HttpRequest) -> Any:
        if is_api(request):
            return self._behind_pages(request)
        return super().__call__(request)  # type: ignore[misc]  # the middleware that this is mixed into


def _behind_pages(get_response: GetResponse) -> GetResponse:
    """Return the first layer that is not for pages alone: an API path goes there in one step."""
    layer = getattr(get_response, "__wrapped__", None)
    while isinstance(layer, _OnPages):
        get_response = layer.get_response
        layer = getattr(get_response, "__wrapped__", None)
    return get_response


class PageSessionMiddleware(_OnPages, SessionMiddleware):
    """Sessions, for the admin."""


class PageAuthenticationMiddleware(_OnPages, AuthenticationMiddleware):
    """`request.user` from the session, for the admin."""


class PageMessageMiddleware(_OnPages, MessageMiddleware):
    """Messages between two pages."""


class PageCsrfMiddleware(_OnPages, CsrfViewMiddleware):
    """CSRF tokens in forms; the API takes bearer tokens and has nothing that a browser sends by itself."""

    def process_view(self, request: HttpRequest, *arguments: Any) -> Any:
        return None if is_api(request) else super().process_view(request, *arguments)


class PageStaticFilesMiddleware(_OnPages, WhiteNoiseMiddleware):  # type: ignore[misc]  # whitenoise has no types
    """Static files, where no proxy serves them: the collected ones, else each package's own."""

    def add_files(self, root: str, prefix: str | None = None) -> None:
        if Path(root).is_dir():
            super().add_files(root, prefix)


class PagePolicyMiddleware(_OnPages, CSPMiddleware):
    """The content security policy of pages: only what is ours, inline only with the request's nonce.

    The admin's theme builds on Alpine, which evaluates the expressions in its attributes, and on styles in
    attributes; there alone `unsafe-eval` and inline styles are let in. Inline scripts are let in nowhere.
    """

    def get_policy_parts(self, request: Any, response: Any, report_only: bool = False) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if not report_only and parts.replace is None and request.path_info.startswith("/admin"):
            ours = [SELF, *settings.CDN_ORIGINS]
            parts.replace = {"script-src": [*ours, NONCE, UNSAFE_EVAL], "style-src": [*ours, UNSAFE_INLINE]}
        return parts


class ListedOriginsMiddleware(CorsMiddleware):
    """CORS for the origins that `CORS_ALLOWED_ORIGINS` lists; not there at all when it lists none."""

    def __init__(self, get_response: GetResponse) -> None:
        if not settings.CORS_ALLOWED_ORIGINS:
            raise MiddlewareNotUsed
        super().__init__(get_response)


def _context_of(meta: dict[str, Any]) -> WorkContext:
    request_id = meta.get("HTTP_X_REQUEST_ID", "")
    traceparent = meta.get("HTTP_TRACEPARENT", "")
    return WorkContext(
        request_id=request_id if _REQUEST_ID.fullmatch(request_id) else _new_request_id(),
        traceparent=traceparent if _TRACEPARENT.fullmatch(traceparent) else "",
        ip=client_address(meta, trusted_proxies=settings.TRUSTED_PROXY_COUNT),
        user_agent=meta.get("HTTP_USER_AGENT", "")[:500],
    )


def _new_request_id() -> str:
    # A name, no secret: asking the system for it would let other threads in between.
    return f"{random.getrandbits(128):032x}"  # see above


def _hsts() -> str:
    subdomains = "; includeSubDomains" if settings.SECURE_HSTS_INCLUDE_SUBDOMAINS else ""
    preload = "; preload" if settings.SECURE_HSTS_PRELOAD else ""
    return f"max-age={settings.SECURE_HSTS_SECONDS}{subdomains}{preload}"


def _record(request: HttpRequest, response: HttpResponseBase, context: WorkContext, seconds: float) -> None:
    method = request.method or ""
    match = request.resolver_match
    route = f"/{match.route}" if match is not None else "(none)"
    count_request(route, method, response.status_code, seconds)
    user = request.__dict__.get("user")
    access_line(
        {
            "logger": "access",
            "method": method,
            "path": redact_text(request.path),
            "route": route,
            "status": response.status_code,
            "duration_ms": round(seconds * 1000, 2),
            "ip": context.ip,
            "user_id": str(user.id) if isinstance(user, Caller) and user.id else None,
        }
    )
