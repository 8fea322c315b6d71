"""Every route of the REST API, version 1."""

from django.urls import URLPattern, URLResolver, path

__all__ = ["path", "urlpatterns"]

urlpatterns: list[URLPattern | URLResolver] = []
