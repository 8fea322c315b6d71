"""The routes of the live process."""

from django.urls import path, re_path

from core import health
from core.api.fallback import unrouted
from core.api.live import EventStream

urlpatterns = [
    path("api/v1/events/stream", EventStream.as_view(), name="event-stream"),
    re_path(r"^api/(?P<rest>.*)$", unrouted),
    path("health", health.health),
    path("health/live", health.live),
    path("health/ready", health.ready),
    path("metrics", health.metrics),
]
