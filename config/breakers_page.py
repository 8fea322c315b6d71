"""Staff's page of circuit breakers: which other side is left alone, since when, and the hand on the switch."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied as PageDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from accounts.pages.staff import caller_of
from core.breaker import standings
from core.breaker_control import close_by_hand, open_by_hand
from core.errors import NotFound


def may_see(request: HttpRequest) -> bool:
    """Return whether breakers are for this person: for whom dead letters are, which come of the same troubles."""
    return request.user.has_perm("core.view_deadletter")


def show(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Show every breaker that lately was not closed; switch one that was named."""
    if not may_see(request):
        raise PageDenied
    may_switch = request.user.has_perm("core.change_deadletter")
    if request.method == "POST":
        if not may_switch:
            raise PageDenied
        return _switch(request)
    page = {**context, "title": "Circuit breakers", "standings": standings(), "may_switch": may_switch}
    return TemplateResponse(request, "admin/breakers.html", page)


def _switch(request: HttpRequest) -> HttpResponse:
    name, actor = request.POST.get("name", ""), caller_of(request)
    try:
        if request.POST.get("do") == "close":
            close_by_hand(name, actor=actor)
            messages.success(request, f"{name} is asked again.")
        elif request.POST.get("do") == "open":
            open_by_hand(name, actor=actor)
            messages.success(request, f"{name} is left alone for an hour.")
    except NotFound:
        messages.error(request, "There is no such breaker any more.")
    return HttpResponseRedirect(reverse("admin:breakers"))
