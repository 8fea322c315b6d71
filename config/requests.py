"""Django's requests, for servers that anybody may write to: an unreadable content type is one that we do not take.

Django reads the header while it makes the request, before any code of ours: a parameter that says its own encoding
(RFC 2231) and names none that exists would end as a fault of the server.
"""

from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIRequest

UNREADABLE = "application/x-unreadable"


class _ReadsAnyContentType:
    """Mixed into a request, lets no content type be a fault."""

    content_type: str | None
    content_params: dict[str, str] | None

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        try:
            super()._set_content_type_params(meta)  # type: ignore[misc]  # the request that this is mixed into
        except (ValueError, TypeError):
            # Whoever reads the header again would stumble again.
            meta["CONTENT_TYPE"] = self.content_type = UNREADABLE
            self.content_params = {}


class WebRequest(_ReadsAnyContentType, WSGIRequest):
    """A request of the web process."""


class LiveRequest(_ReadsAnyContentType, ASGIRequest):
    """A request of the live process."""
