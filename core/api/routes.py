"""What the URL conf serves under /api/: read by the system checks and by the tests that hold every endpoint."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.urls import URLPattern, URLResolver, get_resolver

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True)
class Route:
    """One path of the API, what answers it, and the class of that view (None for a plain function)."""

    path: str
    callback: Callable[..., Any]
    view: type[Any] | None

    @property
    def methods(self) -> tuple[str, ...]:
        """Return the methods that the view has a handler for."""
        return tuple(method for method in METHODS if hasattr(self.view, method.lower()))


def api_routes() -> Iterator[Route]:
    """Yield every route whose path starts with `api`."""
    for prefix, pattern in _patterns(get_resolver().url_patterns):
        if prefix.startswith("api"):
            yield Route(f"/{prefix}", pattern.callback, getattr(pattern.callback, "view_class", None))


def _patterns(entries: list[Any], prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for entry in entries:
        path = f"{prefix}{entry.pattern}".replace("^", "")
        if isinstance(entry, URLResolver):
            yield from _patterns(entry.url_patterns, path)
        else:
            yield path, entry
