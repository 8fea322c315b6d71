"""The top of the route tree: API versions, admin, pages, operations."""

from django.contrib import admin
from django.urls import include, path

from core import health

urlpatterns = [
    path("api/v1/", include("config.api_v1")),
    path("admin/", admin.site.urls),
    # Operations: no envelope
    path("health", health.health),
    path("health/live", health.live),
    path("health/ready", health.ready),
    path("metrics", health.metrics),
    path("status", health.status_page),
]
