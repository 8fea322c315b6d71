"""System checks of the API: nothing is open, or unreachable, because somebody forgot a line."""

from collections.abc import Iterator
from typing import Any

from django.core import checks

from core.api.access import Access
from core.api.documentation import DocumentationPage
from core.api.fallback import unrouted
from core.api.operations import operation_of
from core.api.routes import Route, api_routes
from core.api.throttling import AUTH, DEFAULT
from core.api.views import ApiView
from core.permissions import PERMISSIONS
from core.ratelimit import SCOPES

_OTHER_VIEWS = frozenset({DocumentationPage})
_LIMITS = frozenset({AUTH, DEFAULT, *SCOPES})


@checks.register("api")
def check_api_views(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Return what is wrong with the declarations of API views."""
    found: list[checks.CheckMessage] = []
    for route in api_routes():
        found.extend(_faults(route))
    return found


def _faults(route: Route) -> Iterator[checks.CheckMessage]:
    view = route.view
    if view in _OTHER_VIEWS or route.callback is unrouted:
        return
    if view is None or not issubclass(view, ApiView):
        hint = "Derive the view from core.api.views.ApiView."
        yield checks.Error(f"{route.path} is served by a view without our rules.", hint=hint, obj=view, id="nook.E030")
        return
    for method in set(route.methods) ^ set(view.access):
        hint = "Give every handler one row in `access`, and no row without a handler."
        yield checks.Error(f"{route.path}: {method} does not match `access`.", hint=hint, obj=view, id="nook.E031")
    for access in view.access.values():
        if not isinstance(access, Access) and access not in PERMISSIONS:
            hint = "Permissions are listed in core.permissions.PERMISSIONS."
            yield checks.Error(f"There is no permission {access!r}.", hint=hint, obj=view, id="nook.E032")
    limits = [view.rate_limit] if isinstance(view.rate_limit, str) else view.rate_limit.values()
    for scope in set(limits) - _LIMITS:
        yield checks.Error(f"There is no rate limit scope {scope!r}.", obj=view, id="nook.E033")
    yield from _undescribed(route, view)


def _undescribed(route: Route, view: type[ApiView]) -> Iterator[checks.CheckMessage]:
    for method in route.methods:
        if view.schema is not None and operation_of(getattr(view, method.lower())) is None:
            hint = "Decorate the handler with core.api.operations.operation."
            yield checks.Error(f"{method} {route.path} is not described.", hint=hint, obj=view, id="nook.E034")
