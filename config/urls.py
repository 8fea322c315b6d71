"""The top of the route tree: API versions, admin, pages, operations."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("api/v1/", include("config.api_v1")),
    path("admin/", admin.site.urls),
]
