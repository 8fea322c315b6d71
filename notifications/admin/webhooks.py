"""Staff's view of webhooks: where events go, what became of them, sending again, switching off."""

from collections.abc import Sequence
from typing import Any, Final

from django.contrib import admin, messages
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import TabularInline

from core.event_types import FAMILIES
from core.model_admin import ReadOnlyModelAdmin, badge
from core.permissions import Caller
from notifications.admin.missed import MissedAction
from notifications.models.webhooks import (
    DELIVERY_STATES,
    OPEN_DELIVERY_STATES,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from notifications.services import webhooks

_STATE_COLOURS: Final = {
    "queued": "info",
    "sending": "info",
    "delivered": "success",
    "failed": "danger",
    "suppressed": "warning",
}
_OUTCOME_COLOURS: Final = {
    "answered": "success",
    "refused": "danger",
    "unreachable": "danger",
    "interrupted": "warning",
}
_STANDINGS: Final = {
    "on": ("On", Q(is_active=True)),
    "failing": ("Failing", Q(is_active=True, failing_since__isnull=False)),
    "off": ("Off", Q(is_active=False)),
}


class StandingFilter(admin.SimpleListFilter):
    """Whether it is on, and how it fares."""

    title = "standing"
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return [(key, label) for key, (label, _) in _STANDINGS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = _STANDINGS.get(self.value() or "")
        return queryset.filter(chosen[1]) if chosen else queryset


class DeliveryStateFilter(admin.SimpleListFilter):
    """What became of it."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return [(state, state.capitalize()) for state in DELIVERY_STATES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(state=self.value()) if self.value() in DELIVERY_STATES else queryset


class FamilyFilter(admin.SimpleListFilter):
    """Which family of events, from the registry and not from a DISTINCT over the table."""

    title = "event"
    parameter_name = "family"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return [(family, f"{family}.*") for family in FAMILIES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(event_type__startswith=f"{self.value()}.") if self.value() in FAMILIES else queryset


def _actor(request: HttpRequest) -> Caller:
    return Caller.of(request.user)  # type: ignore[arg-type]  # the admin's users are ours


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(MissedAction, ReadOnlyModelAdmin):
    """Where events are sent to, and how that goes; people make their own over the API."""

    list_display = ("address", "owner", "standing", "waiting_count", "failing_since", "last_success_at", "created_at")
    list_filter = (StandingFilter,)
    search_fields = ("owner__email", "url", "=id")
    search_help_text = "A part of the address or of the owner's e-mail, or a whole id"
    ordering = ("-id",)
    actions = ("switch_on", "switch_off", "send_missed", "new_secret", "end_old_secret")
    fields = (
        ("address", "owner"),
        ("events", "standing"),
        ("failing_since", "failures"),
        ("last_success_at", "sent"),
        ("disabled_at", "disabled_reason"),
        ("paused_until", "previous_secret_until"),
        ("created_at", "updated_at"),
    )
    readonly_fields = ("address", "standing", "sent")

    @admin.display(description="address", ordering="url")
    def address(self, endpoint: WebhookEndpoint) -> str:
        return webhooks.without_secrets(endpoint.url)

    @badge("standing", {"on": "success", "failing": "warning", "off": "danger"})
    def standing(self, endpoint: WebhookEndpoint) -> str:
        if not endpoint.is_active:
            return "off"
        return "failing" if endpoint.failing_since else "on"

    @admin.display(description="deliveries")
    def sent(self, endpoint: WebhookEndpoint) -> SafeString:
        page = reverse("admin:notifications_webhookdelivery_changelist")
        return format_html('<a href="{}?q={}">What it was sent</a>', page, endpoint.pk)

    @admin.display(description="waiting")
    def waiting_count(self, endpoint: WebhookEndpoint) -> int:
        return int(endpoint.waiting)  # type: ignore[attr-defined]  # annotated below

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookEndpoint]:
        waiting = WebhookDelivery.objects.filter(endpoint=OuterRef("pk"), state__in=OPEN_DELIVERY_STATES).order_by()
        counted = waiting.values("endpoint").annotate(number=Count("pk")).values("number")
        queryset: QuerySet[WebhookEndpoint] = super().get_queryset(request)
        return queryset.select_related("owner").annotate(waiting=Coalesce(Subquery(counted), 0))

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("notifications.change_webhookendpoint")

    @admin.action(description="Switch on", permissions=["decide"])
    def switch_on(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> None:
        self._switch(request, queryset, is_active=True)

    @admin.action(description="Switch off", permissions=["decide"])
    def switch_off(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> None:
        self._switch(request, queryset, is_active=False)

    def _switch(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint], *, is_active: bool) -> None:
        wanted = list(queryset.values_list("pk", flat=True))
        count = webhooks.switch_endpoints(actor=_actor(request), endpoint_ids=wanted, is_active=is_active)
        messages.success(request, f"{count} of {len(wanted)} webhooks switched {'on' if is_active else 'off'}.")

    @admin.action(description="Give a new secret", permissions=["decide"])
    def new_secret(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> None:
        if queryset.count() != 1:
            messages.error(request, "Choose one webhook: its new secret is shown here, this once.")
            return
        made = webhooks.rotate_secret_of(actor=_actor(request), endpoint_id=queryset.get().pk)
        messages.success(
            request, f"1 secret made; the old one signs for a day beside it. Shown this once: {made.secret}"
        )

    @admin.action(description="End the old secret now", permissions=["decide"])
    def end_old_secret(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> None:
        rotated = queryset.filter(previous_secret_until__isnull=False)
        self.for_each(
            request,
            rotated,
            lambda endpoint: webhooks.end_secret(actor=_actor(request), endpoint_id=endpoint.pk),
            done="{} old secrets ended.",
        )


class WebhookAttemptInline(TabularInline):  # type: ignore[misc]  # unfold has no types
    """The tries of one delivery."""

    model = WebhookAttempt
    verbose_name_plural = "attempts"
    fields = ("number", "started_at", "milliseconds", "outcome_label", "status", "answer", "next_attempt_at")
    readonly_fields = fields
    ordering = ("number",)
    extra = 0
    can_delete = False
    hide_title = True

    @badge("outcome", _OUTCOME_COLOURS)
    def outcome_label(self, attempt: WebhookAttempt) -> str:
        return attempt.outcome

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("notifications.view_webhookdelivery")


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyModelAdmin):
    """What was sent, and every try; those that failed are the dead letters of webhooks."""

    list_display = (
        "event_type",
        "address",
        "state_label",
        "attempt_count",
        "created_at",
        "next_attempt_at",
        "delivered_at",
    )
    list_filter = (DeliveryStateFilter, FamilyFilter)
    search_fields = ("=id", "=event_id", "=endpoint__id", "=endpoint__owner__email")
    search_help_text = "The whole id of a delivery, an event or a webhook, or the owner's e-mail"
    ordering = ("-id",)
    actions = ("send_again",)
    inlines = (WebhookAttemptInline,)
    fields = (
        ("event_type", "state_label"),
        ("endpoint", "event_id"),
        "message_id",
        ("attempt_count", "attempts_left"),
        ("created_at", "next_attempt_at", "delivered_at"),
        "payload",
    )
    readonly_fields = ("state_label", "message_id", "payload")

    @admin.display(description="address")
    def address(self, delivery: WebhookDelivery) -> str:
        return webhooks.without_secrets(delivery.endpoint.url)

    @admin.display(description="webhook-id")
    def message_id(self, delivery: WebhookDelivery) -> str:
        return delivery.webhook_id

    @admin.display(description="body")
    def payload(self, delivery: WebhookDelivery) -> SafeString:
        return format_html("<pre>{}</pre>", delivery.body)

    @badge("state", _STATE_COLOURS, ordering="state")
    def state_label(self, delivery: WebhookDelivery) -> str:
        return delivery.state

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookDelivery]:
        queryset: QuerySet[WebhookDelivery] = super().get_queryset(request).select_related("endpoint")
        return queryset

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("notifications.change_webhookdelivery")

    @admin.action(description="Send again", permissions=["decide"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> None:
        wanted = queryset.count()
        chosen = WebhookDelivery.objects.filter(pk__in=list(queryset.values_list("pk", flat=True)))
        count = webhooks.redeliver_many(actor=_actor(request), deliveries=chosen)
        messages.success(request, f"{count} of {wanted} deliveries queued again.")
        if count < wanted:
            messages.warning(request, "Those under way, suppressed, or of a webhook that is off were left alone.")
