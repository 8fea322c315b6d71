"""The OpenAPI document and the page that shows it.

What follows from the code is made once per process and is for anyone. Apps add what follows from the database, for
those who may know of it:

    @adds_to_document(knows=lambda caller: caller.is_authenticated, state=lambda: …)
    def add_types(document: dict[str, Any]) -> None:
        …
"""

from collections.abc import Callable, Hashable
from copy import deepcopy
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Final

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views import View
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiYamlRenderer
from rest_framework.request import Request

from core.api.access import ANY_TOKEN, PUBLIC
from core.api.views import ApiView
from core.permissions import Caller

_JSON = "application/vnd.oai.openapi+json"
_YAML = "application/yaml"
_VARIES = {"Cache-Control": "private, no-cache", "Vary": "Accept, Authorization"}
# Swagger UI sets styles on its elements and draws its icons from data: URLs; scripts come from here only.
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class Addition:
    """What an app adds. It is made anew when `state`, which has to cost little, is another one."""

    knows: Callable[[Caller], bool]
    state: Callable[[], Hashable]
    add: Callable[[dict[str, Any]], None]


ADDITIONS: Final[list[Addition]] = []


def adds_to_document(
    *, knows: Callable[[Caller], bool], state: Callable[[], Hashable]
) -> Callable[[Callable[[dict[str, Any]], None]], Callable[[dict[str, Any]], None]]:
    """Register a function that adds to the document of callers of whom `knows` is true."""

    def register(add: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
        ADDITIONS.append(Addition(knows, state, add))
        return add

    return register


class SchemaDocument(ApiView):
    """`GET /api/v1/schema`: JSON, or YAML to a client that asks for it."""

    schema = None
    access = {"GET": PUBLIC}
    token_scopes = {"GET": ANY_TOKEN}
    produces = ("application/json", _JSON, _YAML)

    def get(self, request: Request) -> HttpResponse:
        wants_yaml = "yaml" in request.META.get("HTTP_ACCEPT", "")
        places = tuple(place for place, addition in enumerate(ADDITIONS) if addition.knows(self.caller))
        states = tuple(ADDITIONS[place].state() for place in places)
        content = _written(settings.ROOT_URLCONF, places, states, to_yaml=wants_yaml)
        return HttpResponse(content, content_type=_YAML if wants_yaml else "application/json", headers=_VARIES)


class DocumentationPage(View):
    """`GET /api/v1/docs`: Swagger UI from this server's own files."""

    http_method_names = ["get", "head", "options"]

    def get(self, request: HttpRequest) -> HttpResponse:
        response = render(request, "core/api_docs.html")
        response.headers["Content-Security-Policy"] = _PAGE_POLICY
        return response


def as_json() -> bytes:
    """Return the document of the routes in use as JSON, as anyone may know it."""
    return _written(settings.ROOT_URLCONF, (), (), to_yaml=False)


def as_yaml() -> bytes:
    """Return the document of the routes in use as docs/openapi.yaml holds it, which is what anyone may know."""
    return _written(settings.ROOT_URLCONF, (), (), to_yaml=True)


@lru_cache(maxsize=8)
def _written(urlconf: str, places: tuple[int, ...], states: tuple[Hashable, ...], *, to_yaml: bool) -> bytes:
    """Return the document with the additions at `places`, which are in `states`."""
    document = _plain(urlconf)
    if places:
        document = deepcopy(document)
        for place in places:
            ADDITIONS[place].add(document)
    if to_yaml:
        rendered: bytes = OpenApiYamlRenderer().render(document, renderer_context={})  # type: ignore[no-untyped-call]  # the library has no types here
        return rendered
    return orjson.dumps(document)


@cache
def _plain(urlconf: str) -> dict[str, Any]:
    generator = SchemaGenerator(urlconf=urlconf)  # type: ignore[no-untyped-call]  # as above
    document: dict[str, Any] = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]  # as above
    return document
