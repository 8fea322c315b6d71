"""Paths under /api/ that no route names: a trailing slash is answered like the path without, the rest is 404."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import resolve
from django.views.decorators.csrf import csrf_exempt
from rest_framework.request import Request

from core.api.access import PUBLIC
from core.api.views import ApiView
from core.errors import NotFound


class UnknownPath(ApiView):
    """Answers every method with 404, in the envelope and within the rate limit."""

    access = {"GET": PUBLIC, "POST": PUBLIC, "PUT": PUBLIC, "PATCH": PUBLIC, "DELETE": PUBLIC}

    def get(self, request: Request, **kwargs: Any) -> HttpResponse:
        raise NotFound

    post = put = patch = delete = get


@csrf_exempt
def unrouted(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
    """Return the answer of the path without its trailing slash, or 404; never a redirect, which would lose a body."""
    path = request.path_info
    if not path.endswith("/"):
        return _unknown(request)
    try:
        match = resolve(path[:-1])
    except Http404:
        return _unknown(request)
    if match.func is unrouted:
        return _unknown(request)
    request.resolver_match = match
    answer: HttpResponseBase = match.func(request, *match.args, **match.kwargs)
    return answer


_unknown = UnknownPath.as_view()
