"""Every route of the REST API, version 1."""

from django.urls import URLPattern, URLResolver, path

from core.api.documentation import DocumentationPage, SchemaDocument

urlpatterns: list[URLPattern | URLResolver] = [
    # Documentation
    path("schema", SchemaDocument.as_view(), name="schema"),
    path("docs", DocumentationPage.as_view(), name="docs"),
]
