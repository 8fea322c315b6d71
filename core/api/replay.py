"""`Idempotency-Key` on POST: runs a handler under its key, or gives the kept answer again."""

from collections.abc import Callable
from http.cookies import SimpleCookie
from typing import Final

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from core import idempotency
from core.api.access import caller_of
from core.api.chunks import BodyDigest
from core.api.envelope import CONTENT_TYPE
from core.api.errors import as_application_error
from core.api.throttling import address_key
from core.idempotency import Answer, Claim

HEADER: Final = "HTTP_IDEMPOTENCY_KEY"
_KEPT_HEADERS: Final = ("Content-Type", "Location", "ETag", "Cache-Control")


def answer_once(
    request: Request, handler: Callable[[], HttpResponseBase], *, ignored_cookies: frozenset[str]
) -> HttpResponseBase:
    """Return the handler's answer, or the answer that this key already has."""
    with idempotency.claimed(_request_of(request, ignored_cookies)) as claim:
        if claim.replay is not None:
            return _again(claim.replay)
        return _run(handler, claim)


def _run(handler: Callable[[], HttpResponseBase], claim: Claim) -> HttpResponseBase:
    try:
        response = handler()
    except Exception as error:
        # Refusals must reach `claimed` as what they are, whichever library raised them.
        known = as_application_error(error)
        if known is None or known.status >= 500:
            raise
        raise known from error
    if isinstance(response, HttpResponse):
        claim.keep(_answer_of(response))
    return response


def _request_of(request: Request, ignored_cookies: frozenset[str]) -> idempotency.Request:
    key = idempotency.checked_key(request.META[HEADER])
    caller = caller_of(request)
    parts = [(request.method or "").encode(), _path_of(request).encode(), _body_of(request)]
    if caller.id is not None:
        # What was answered to an administrator in a user's place is not for the user, nor the other way round.
        stay = f"/{caller.impersonated_by}" if caller.impersonated_by else ""
        return idempotency.Request(f"user:{caller.id}{stay}", key, idempotency.fingerprint_of(*parts))
    # Many may share an address; a cookie is all that may tell one of them from the next.
    parts += [f"{name}={request.COOKIES[name]}".encode() for name in sorted(request.COOKIES.keys() - ignored_cookies)]
    return idempotency.Request(f"address:{address_key()}", key, idempotency.fingerprint_of(*parts))


def _path_of(request: Request) -> str:
    """Return path and query; a trailing slash makes no other request."""
    path, mark, query = request._request.get_full_path().partition("?")
    return f"{path.removesuffix('/')}{mark}{query}"


def _body_of(request: Request) -> bytes:
    """Return the body; of one in parts what is left without their boundary, which each try makes up anew."""
    content_type, body = request.META.get("CONTENT_TYPE", ""), request._request.body
    if not content_type.lower().startswith("multipart/"):
        return body
    digest = BodyDigest(content_type)
    digest.update(body)
    return digest.digest()


def _answer_of(response: HttpResponse) -> Answer:
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    cookies = [cookie.OutputString() for cookie in response.cookies.values()]
    return Answer(response.status_code, headers, cookies, response.content.decode())


def _again(answer: Answer) -> HttpResponse:
    response = HttpResponse(
        answer.body.encode(), status=answer.status, content_type=answer.headers.get("Content-Type", CONTENT_TYPE)
    )
    for name, value in answer.headers.items():
        response.headers[name] = value
    for cookie in answer.cookies:
        response.cookies.update(SimpleCookie(cookie))
    response.headers["Idempotency-Replayed"] = "true"
    return response
