"""Staff's view of inboxes and of how people want to be told, and the page from which many are told."""

from collections.abc import Sequence
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied as PageDenied
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from core.errors import ApplicationError
from core.model_admin import ReadOnlyModelAdmin, badge, tell_refusal
from core.permissions import Caller
from notifications.kinds import KINDS
from notifications.models import Notification, NotificationPreferences
from notifications.services.fanout import Recipients, send_to_many

_READ_COLOURS: Final = {"unread": "info", "read": "success", "put away": "warning", "not in the inbox": "warning"}


class BroadcastForm(forms.Form):
    """What is told, and to whom; first counted, then confirmed."""

    title = forms.CharField(max_length=200, widget=UnfoldAdminTextInputWidget())
    text = forms.CharField(max_length=5000, widget=UnfoldAdminTextareaWidget())
    link = forms.URLField(max_length=2000, required=False, assume_scheme="https", widget=UnfoldAdminTextInputWidget())
    role = forms.CharField(
        max_length=50,
        required=False,
        help_text="Only people with this role; empty: everybody.",
        widget=UnfoldAdminTextInputWidget(),
    )
    confirmed_count = forms.IntegerField(required=False, widget=forms.HiddenInput())

    def recipients(self) -> Recipients:
        """Return whom the form means."""
        role = self.cleaned_data["role"].strip()
        return Recipients(role=role, everybody=not role)

    def context(self) -> dict[str, str]:
        """Return what is told."""
        return {name: self.cleaned_data[name] for name in ("title", "text", "link") if self.cleaned_data[name]}


class KindFilter(admin.SimpleListFilter):
    """What the message tells, from the registry and not from a DISTINCT over the table."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return [(kind.code, kind.title) for kind in KINDS.values()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(kind=self.value()) if self.value() in KINDS else queryset


@admin.register(Notification)
class NotificationAdmin(ReadOnlyModelAdmin):
    """What people were told; the broadcast begins here."""

    list_display = ("kind_title", "user", "state_label", "message_count", "created_at", "read_at")
    list_filter = (KindFilter,)
    list_select_related = ("user",)
    search_fields = ("=user__email", "=id", "=event_id", "=subject_id")
    search_help_text = "A whole address, or the id of a notification, an event or a subject"
    ordering = ("-created_at", "-id")
    fields = (
        ("kind", "user"),
        ("state_label", "read_at", "archived_at"),
        ("subject_type", "subject_id", "event_id"),
        ("created_at", "dedup_key"),
    )
    readonly_fields = ("state_label",)
    change_list_template = "admin/notifications/inbox.html"

    @admin.display(description="kind", ordering="kind")
    def kind_title(self, notification: Notification) -> str:
        return KINDS[notification.kind].title if notification.kind in KINDS else notification.kind

    @badge("state", _READ_COLOURS)
    def state_label(self, notification: Notification) -> str:
        if not notification.is_in_inbox:
            return "not in the inbox"
        if notification.archived_at is not None:
            return "put away"
        return "unread" if notification.read_at is None else "read"

    @admin.display(description="messages")
    def message_count(self, notification: Any) -> int:
        return int(notification.message_number)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Notification]:
        queryset: QuerySet[Notification] = super().get_queryset(request)
        return queryset.annotate(message_number=Count("messages"))

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.broadcast)
        return [path("broadcast/", view, name="notifications_broadcast"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        context = {**(extra_context or {}), "may_broadcast": _may_send(request)}
        return super().changelist_view(request, context)

    def broadcast(self, request: HttpRequest) -> HttpResponse:
        """Ask what to tell; say how many people that would be; tell them when that is confirmed."""
        if not _may_send(request):
            raise PageDenied
        form = BroadcastForm(request.POST or None)
        page = {**self.admin_site.each_context(request), "title": "Tell many people", "form": form, "count": None}
        if request.method == "POST" and form.is_valid():
            count = form.recipients().people().count()
            # Whoever confirmed another number has not seen this one.
            if form.cleaned_data["confirmed_count"] == count:
                return self._send(request, form)
            page |= {"count": count, "unconfirmed": form.recipients().unconfirmed()}
        return TemplateResponse(request, "admin/notifications/broadcast.html", page)

    def _send(self, request: HttpRequest, form: BroadcastForm) -> HttpResponse:
        actor = Caller.of(request.user)  # type: ignore[arg-type]  # the admin's users are ours
        try:
            job = send_to_many(actor=actor, kind="system.broadcast", context=form.context(), to=form.recipients())
        except ApplicationError as refusal:
            tell_refusal(request, refusal)
            return HttpResponseRedirect(request.get_full_path())
        messages.success(request, f"{job.total} people are being told.")
        return HttpResponseRedirect(reverse("admin:notifications_notification_changelist"))


@admin.register(NotificationPreferences)
class NotificationPreferencesAdmin(ReadOnlyModelAdmin):
    """How people want to be told; theirs to change, not ours."""

    list_display = ("user", "digest", "quiet_from", "quiet_until", "quiet_time_zone", "updated_at")
    list_filter = ("digest",)
    list_select_related = ("user",)
    search_fields = ("=user__email", "=id")
    search_help_text = "A whole address or id"
    ordering = ("-updated_at",)
    fields = ("user", "choices", ("quiet_from", "quiet_until", "quiet_time_zone"), "digest", "updated_at")


def _may_send(request: HttpRequest) -> bool:
    return Caller.of(request.user).holds("send:notification")  # type: ignore[arg-type]  # the admin's users are ours
