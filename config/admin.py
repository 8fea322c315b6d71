"""The admin as a whole: who gets in, what stands in the sidebar, which environment this is."""

from typing import Any, Final
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.views import PasswordChangeView
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.text import capfirst
from unfold.sites import UnfoldAdminSite

from accounts.pages import acting, second_step, staff, two_factor
from config import breakers_page, integrations_page
from config.dashboard import add_numbers

_GROUPS: Final = (
    (
        "People",
        (
            ("accounts.User", "group"),
            ("accounts.Role", "shield_person"),
            ("accounts.Session", "devices"),
            ("accounts.ApiToken", "key"),
            ("accounts.Impersonation", "support_agent"),
            ("accounts.AccessOfUser", "rule"),
            ("accounts.Passkey", "passkey"),
            ("accounts.Connection", "link"),
        ),
    ),
    (
        "Content",
        (
            ("resources.Resource", "inventory_2"),
            ("resources.Comment", "chat"),
            ("resources.Watch", "visibility"),
            ("resources.SavedView", "bookmark"),
            ("resources.FileVersion", "attach_file"),
            ("resources.ResourceType", "category"),
            ("resources.TypeIndex", "speed"),
        ),
    ),
    (
        "Messages",
        (
            ("notifications.Notification", "inbox"),
            ("notifications.Message", "mail"),
            ("notifications.NotificationPreferences", "tune"),
            ("notifications.MessageTemplate", "edit_note"),
            ("notifications.Device", "smartphone"),
            ("notifications.SuppressedAddress", "unsubscribe"),
            ("notifications.WebhookEndpoint", "webhook"),
            ("notifications.WebhookDelivery", "outgoing_mail"),
            ("notifications.WebhookSource", "input"),
            ("notifications.InboundWebhook", "move_to_inbox"),
        ),
    ),
    (
        "Operations",
        (
            ("core.Event", "history"),
            ("accounts.Threat", "gpp_maybe"),
            ("notifications.Alert", "notification_important"),
            ("core.Job", "conveyor_belt"),
            ("core.OutboxRow", "outbox"),
            ("core.DeadLetter", "skull"),
            ("core.ScheduleRun", "schedule"),
        ),
    ),
)


class StaffPasswordChangeView(PasswordChangeView):
    """Django's page, our service."""

    form_class = staff.PasswordForm
    template_name = "registration/password_change_form.html"

    def get_form(self, form_class: Any = None) -> Any:
        form: Any = super().get_form(form_class)
        form.actor = staff.caller_of(self.request)
        return form


class NookAdminSite(UnfoldAdminSite):  # type: ignore[misc]  # unfold has no types
    """The admin with our own sign-in; a session that was ended anywhere ends here at once."""

    index_title = "Dashboard"

    def has_permission(self, request: HttpRequest) -> bool:
        """Return whether the person is staff and their session still lives; asked several times a page, read once."""
        known = getattr(request, "_may_enter_admin", None)
        if known is None:
            is_staff = bool(super().has_permission(request)) and staff.session_lives(request)
            known = is_staff and not staff.must_enroll(request)
            request._may_enter_admin = known  # type: ignore[attr-defined]  # a note on the request, as Django's own
        return bool(known)

    def get_urls(self) -> list[Any]:
        return [
            path("act-as/<uuid:user_id>/", self.admin_view(self.act_as), name="act_as"),
            path("login/second-step/", self.second_step, name="second_step"),
            path("breakers/", self.admin_view(self.breakers), name="breakers"),
            path("integrations/", self.admin_view(self.integrations), name="integrations"),
            path("two-factor/", self.two_factor, name="two_factor"),
            path("stop-acting/", self.admin_view(self.stop_acting), name="stop_acting"),
            *super().get_urls(),
        ]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        return {**super().each_context(request), "acting": acting.stay_of(request)}

    def act_as(self, request: HttpRequest, user_id: UUID) -> HttpResponse:
        return acting.begin(request, user_id, self.each_context(request))

    def stop_acting(self, request: HttpRequest) -> HttpResponse:
        return acting.stop(request)

    def breakers(self, request: HttpRequest) -> HttpResponse:
        return breakers_page.show(request, self.each_context(request))

    def integrations(self, request: HttpRequest) -> HttpResponse:
        return integrations_page.show(request, self.each_context(request))

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        response: TemplateResponse = super().index(request, add_numbers(request, dict(extra_context or {})))
        return response

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return staff.sign_in(request, self.each_context(request))

    def second_step(self, request: HttpRequest) -> HttpResponse:
        return second_step.prove(request, self.each_context(request))

    def two_factor(self, request: HttpRequest) -> HttpResponse:
        return two_factor.manage(request, self.each_context(request), may_enter=self.has_permission(request))

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return staff.sign_out(request)

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        view = StaffPasswordChangeView.as_view(
            success_url=reverse("admin:password_change_done"),
            extra_context={**self.each_context(request), **(extra_context or {})},
        )
        return view(request)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the sidebar: the pages that this person may see, grouped by what they are about."""
    first = {"items": [{"title": "Dashboard", "icon": "dashboard", "link": reverse("admin:index")}]}
    items = [_items(request, labels) for _, labels in _GROUPS]
    if breakers_page.may_see(request):
        items[-1] += [
            {"title": "Circuit breakers", "icon": "electrical_services", "link": reverse("admin:breakers")},
            {"title": "Integrations", "icon": "hub", "link": reverse("admin:integrations")},
        ]
    groups = [
        {"title": title, "separator": True, "items": found} for (title, _), found in zip(_GROUPS, items, strict=True)
    ]
    return [first, *(group for group in groups if group["items"])]


def account_links(request: HttpRequest) -> list[dict[str, Any]]:
    """Return what stands under one's own name."""
    return [
        {"title": "Two-factor sign-in", "link": reverse("admin:two_factor")},
        {"title": "Change password", "link": reverse("admin:password_change")},
    ]


def environment(request: HttpRequest) -> list[str]:
    """Return the label in the corner, and its colour: people must not take one environment for another."""
    return [settings.ENVIRONMENT_NAME, "info" if settings.ENVIRONMENT_NAME == "Development" else "warning"]


def _items(request: HttpRequest, labels: tuple[tuple[str, str], ...]) -> list[dict[str, Any]]:
    items = []
    for label, icon in labels:
        model = apps.get_model(label)
        page = admin.site._registry.get(model)
        if page is not None and page.has_view_permission(request):
            link = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
            items.append({"title": capfirst(model._meta.verbose_name_plural), "icon": icon, "link": link})
    return items
