"""Staff's view of inbound webhooks: which programs may tell us something, what they told, working it off again."""

from collections.abc import Sequence
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Max, OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import TabularInline
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminSelectWidget

from core.crypto import DecryptionFailed
from core.errors import ValidationFailed
from core.logging import redact_text
from core.model_admin import AuditedModelAdmin, CheckSeen, ReadOnlyModelAdmin, SeenForm, badge
from core.permissions import Caller
from notifications.models.inbound import INBOUND_STATES, SCHEMES, InboundHandling, InboundWebhook, WebhookSource
from notifications.services import inbound

_STATE_COLOURS: Final = {"received": "info", "handled": "success", "failed": "danger", "unclaimed": "warning"}
_SHOWN_BYTES: Final = 20_000


class SourceForm(SeenForm):
    """A source; its secrets are written and never shown."""

    scheme = forms.ChoiceField(choices=list(SCHEMES.items()), widget=UnfoldAdminSelectWidget)
    # Not the column's own name: the form would write it, empty as it mostly is, into the row.
    new_secret = forms.CharField(
        required=False, widget=UnfoldAdminPasswordWidget(), help_text="What the other side signs with; empty: as it is."
    )
    keep_old_secret = forms.BooleanField(
        required=False, help_text="Accept what was signed with the secret that a new one replaces, until this is off."
    )

    class Meta:
        model = WebhookSource
        fields = ("key", "name", "scheme", "signature_header", "event_id_header", "tolerance_seconds", "is_active")

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.fields["keep_old_secret"].initial = bool(self.instance.pk and self.instance.old_secret)

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        try:
            # Also when nothing but the scheme is another: the secret that stays has to be one for it.
            inbound.refuse_secret(given.get("scheme", ""), given.get("new_secret") or self.instance.secret or "")
        except ValidationFailed as refusal:
            raise ValidationError({"new_secret": [detail.message for detail in refusal.details]}) from None
        return given


def _actor(request: HttpRequest) -> Caller:
    return Caller.of(request.user)  # type: ignore[arg-type]  # the admin's users are ours


@admin.register(WebhookSource)
class WebhookSourceAdmin(AuditedModelAdmin):
    """Programs that may tell us something."""

    form = SourceForm
    event_family = "webhook_source"
    unlogged_fields = frozenset({"secret", "old_secret"})
    list_display = ("key", "name", "scheme", "is_active", "last_message_at", "created_at")
    list_filter = ("is_active",)
    search_fields = ("key", "name")
    search_help_text = "Part of the key or the name"
    ordering = ("key",)
    fields = (
        ("key", "name"),
        ("scheme", "is_active"),
        ("new_secret", "keep_old_secret"),
        ("signature_header", "event_id_header"),
        "tolerance_seconds",
    )

    @admin.display(description="last message")
    def last_message_at(self, source: WebhookSource) -> Any:
        return source.last_message  # type: ignore[attr-defined]  # annotated below

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookSource]:
        told = InboundWebhook.objects.filter(source=OuterRef("pk")).order_by().values("source")
        queryset: QuerySet[WebhookSource] = super().get_queryset(request)
        return queryset.annotate(last_message=Subquery(told.annotate(last=Max("created_at")).values("last")))

    def create(self, actor: Caller, row: WebhookSource, values: dict[str, Any]) -> WebhookSource:
        row.secret = values["new_secret"]
        created: WebhookSource = super().create(actor, row, _columns(values))
        return created

    def change(self, actor: Caller, row: WebhookSource, changes: dict[str, Any], check_seen: CheckSeen) -> None:
        columns = _columns(changes)
        secret, keeps = changes.get("new_secret"), changes.get("keep_old_secret", bool(row.old_secret))
        if secret:
            row.old_secret, row.secret = (row.secret if keeps else None), secret
            columns |= {"secret": secret, "old_secret": None}
        elif not keeps and row.old_secret:
            row.old_secret = None
            columns["old_secret"] = None
        if columns:
            super().change(actor, row, columns, check_seen)


def _columns(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in {"new_secret", "keep_old_secret"}}


class InboundStateFilter(admin.SimpleListFilter):
    """What became of it."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return [(state, state.capitalize()) for state in INBOUND_STATES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(state=self.value()) if self.value() in INBOUND_STATES else queryset


class SourceFilter(admin.SimpleListFilter):
    """Who told it."""

    title = "source"
    parameter_name = "source"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return [(key, key) for key in WebhookSource.objects.order_by("key").values_list("key", flat=True)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(source__key=self.value()) if self.value() else queryset


class HandlingInline(TabularInline):  # type: ignore[misc]  # unfold has no types
    """Which handler has worked it off."""

    model = InboundHandling
    verbose_name_plural = "handlers"
    fields = ("handler", "turn", "created_at", "failed_at")
    readonly_fields = fields
    ordering = ("turn", "handler")
    extra = 0
    can_delete = False
    hide_title = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("notifications.view_inboundwebhook")


@admin.register(InboundWebhook)
class InboundWebhookAdmin(ReadOnlyModelAdmin):
    """What came in, and who has worked it off."""

    list_display = ("type", "source", "event_id", "state_label", "size", "created_at", "handled_at")
    list_filter = (InboundStateFilter, SourceFilter)
    search_fields = ("=event_id", "=id")
    search_help_text = "The whole id of an event or of a message"
    ordering = ("-id",)
    actions = ("work_off_again",)
    inlines = (HandlingInline,)
    fields = (
        ("type", "state_label"),
        ("source", "event_id"),
        ("created_at", "handled_at"),
        ("content_type", "size", "turn"),
        "query",
        "shown_body",
    )
    readonly_fields = ("state_label", "shown_body")

    @badge("state", _STATE_COLOURS, ordering="state")
    def state_label(self, message: InboundWebhook) -> str:
        return message.state

    @admin.display(description="body")
    def shown_body(self, message: InboundWebhook) -> SafeString:
        try:
            text = message.body[:_SHOWN_BYTES].decode(errors="replace")
        except DecryptionFailed as error:
            text = f"This body cannot be shown: {error}"
        return format_html("<pre>{}</pre>", redact_text(text))

    def get_queryset(self, request: HttpRequest) -> QuerySet[InboundWebhook]:
        queryset: QuerySet[InboundWebhook] = super().get_queryset(request).select_related("source")
        return queryset

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("notifications.change_inboundwebhook")

    @admin.action(description="Work off again", permissions=["decide"])
    def work_off_again(self, request: HttpRequest, queryset: QuerySet[InboundWebhook]) -> None:
        chosen = InboundWebhook.objects.filter(pk__in=list(queryset.values_list("pk", flat=True)))
        count = inbound.replay(actor=_actor(request), messages=chosen)
        messages.success(request, f"{count} messages are worked off again.")
