"""The page that asks from when on an endpoint is sent what it was never sent."""

from datetime import timedelta
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.widgets import UnfoldAdminTextInputWidget

from core.permissions import Caller
from notifications.models import WebhookEndpoint
from notifications.services import webhooks

_FORM: Final = "%Y-%m-%dT%H:%M"


class SinceForm(forms.Form):
    """From when on."""

    since = forms.DateTimeField(
        label="From when on",
        help_text="In UTC. Its receiver gets every event since then that it asks for and that was never sent to it.",
        widget=UnfoldAdminTextInputWidget({"type": "datetime-local"}),
        input_formats=[_FORM],
    )


class MissedAction:
    """Mixed into the page of endpoints."""

    admin_site: Any

    @admin.action(description="Send what it missed…", permissions=["decide"])
    def send_missed(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> HttpResponse | None:
        if queryset.count() != 1:
            messages.error(request, "Choose one webhook.")
            return None
        endpoint = queryset.get()
        form = SinceForm(request.POST if request.POST.get("answered") else None)
        if not form.is_valid():
            return self._ask(request, endpoint, form)
        actor = Caller.of(request.user)  # type: ignore[arg-type]  # the admin's users are ours
        count = sum(webhooks.Missed(endpoint.pk, form.cleaned_data["since"]).send(actor=actor))
        messages.success(request, f"{count} events queued that it was never sent.")
        return None

    def _ask(self, request: HttpRequest, endpoint: WebhookEndpoint, form: SinceForm) -> HttpResponse:
        form.initial["since"] = (timezone.now() - timedelta(days=1)).strftime(_FORM)
        page = {
            **self.admin_site.each_context(request),
            "title": "Send what it missed",
            "endpoint": webhooks.without_secrets(endpoint.url),
            "form": form,
            "chosen": request.POST.getlist(ACTION_CHECKBOX_NAME),
        }
        return TemplateResponse(request, "admin/notifications/missed.html", page)
