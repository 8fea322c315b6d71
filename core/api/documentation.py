"""The OpenAPI document and the page that shows it; both are made once per process."""

from functools import cache

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

_JSON = "application/vnd.oai.openapi+json"
_YAML = "application/yaml"
# Swagger UI sets styles on its elements and draws its icons from data: URLs; scripts come from here only.
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'"
)


class SchemaDocument(ApiView):
    """`GET /api/v1/schema`: JSON, or YAML to a client that asks for it."""

    schema = None
    access = {"GET": PUBLIC}
    token_scopes = {"GET": ANY_TOKEN}
    produces = ("application/json", _JSON, _YAML)

    def get(self, request: Request) -> HttpResponse:
        if "yaml" in request.META.get("HTTP_ACCEPT", ""):
            return HttpResponse(as_yaml(), content_type=_YAML)
        return HttpResponse(as_json(), content_type="application/json")


class DocumentationPage(View):
    """`GET /api/v1/docs`: Swagger UI from this server's own files."""

    http_method_names = ["get", "head", "options"]

    def get(self, request: HttpRequest) -> HttpResponse:
        response = render(request, "core/api_docs.html")
        response.headers["Content-Security-Policy"] = _PAGE_POLICY
        return response


def as_json() -> bytes:
    """Return the document of the routes in use as JSON."""
    return _rendered(settings.ROOT_URLCONF)[0]


def as_yaml() -> bytes:
    """Return the document of the routes in use as docs/openapi.yaml holds it."""
    return _rendered(settings.ROOT_URLCONF)[1]


@cache
def _rendered(urlconf: str) -> tuple[bytes, bytes]:
    generator = SchemaGenerator(urlconf=urlconf)  # type: ignore[no-untyped-call]  # the library has no types here
    document = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]  # as above
    as_text = OpenApiYamlRenderer().render(document, renderer_context={})  # type: ignore[no-untyped-call]  # as above
    return orjson.dumps(document), as_text
