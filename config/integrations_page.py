"""Staff's page of the servers of others that this installation talks to."""

from typing import Any

from django.core.exceptions import PermissionDenied as PageDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from config.breakers_page import may_see
from core.integrations import registered


def show(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Show what each is for, where it is, whether it is asked, and when it last did its work."""
    if not may_see(request):
        raise PageDenied
    page = {**context, "title": "Integrations", "integrations": registered()}
    return TemplateResponse(request, "admin/integrations.html", page)
