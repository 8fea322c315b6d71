"""Staff's view of what was told to whom: states, attempts, the mail itself, and sending again."""

import re
from collections.abc import Sequence
from typing import Any, Final

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.admin import TabularInline

from core.crypto import DecryptionFailed
from core.model_admin import ReadOnlyModelAdmin, badge
from core.permissions import Caller
from notifications import services
from notifications.admin.inbox import KindFilter
from notifications.kinds import KINDS
from notifications.models import STATES, Message, MessageAttempt
from notifications.templates import render

_STATE_COLOURS: Final = {
    "queued": "info",
    "sending": "info",
    "sent": "success",
    "delivered": "success",
    "bounced": "danger",
    "failed": "danger",
    "suppressed": "warning",
}
_OUTCOME_COLOURS: Final = {"sent": "success", "deferred": "warning", "refused": "danger", "interrupted": "warning"}
_SECRET: Final = re.compile(r"([?&]token=)[^\s&\"'<]+")
_LINK: Final = re.compile(r"https?://\S+\?token=\S+")


class StateFilter(admin.SimpleListFilter):
    """Which state the message is in."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return [(state, state.capitalize()) for state in STATES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(state=self.value()) if self.value() in STATES else queryset


class AttemptInline(TabularInline):  # type: ignore[misc]  # unfold has no types
    """The tries to deliver one message."""

    model = MessageAttempt
    verbose_name_plural = "attempts"
    fields = ("number", "created_at", "finished_at", "outcome_label", "answer", "next_try_at")
    readonly_fields = fields
    ordering = ("number",)
    extra = 0
    can_delete = False
    hide_title = True

    @badge("outcome", _OUTCOME_COLOURS)
    def outcome_label(self, attempt: MessageAttempt) -> str:
        return attempt.outcome or "under way"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("notifications.view_message")


@admin.register(Message)
class MessageAdmin(ReadOnlyModelAdmin):
    """Messages; the text is for the role `admin` alone."""

    list_display = ("kind_title", "address", "state_label", "attempt_count", "created_at", "next_try_at", "sent_at")
    list_filter = (StateFilter, KindFilter)
    search_fields = ("=address", "=message_id", "=id")
    search_help_text = "A whole address, Message-ID or id"
    ordering = ("-id",)
    actions = ("send_again",)
    inlines = (AttemptInline,)
    change_form_outer_before_template = "admin/notifications/preview.html"
    fields = (
        ("kind", "channel"),
        ("address", "recipient"),
        ("state_label", "attempt_count"),
        ("created_at", "next_try_at", "sent_at"),
        "message_id",
    )
    readonly_fields = ("state_label",)

    @admin.display(description="kind", ordering="kind")
    def kind_title(self, message: Message) -> str:
        return KINDS[message.kind].title if message.kind in KINDS else message.kind

    @badge("state", _STATE_COLOURS, ordering="state")
    def state_label(self, message: Message) -> str:
        return message.state

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        queryset: QuerySet[Message] = super().get_queryset(request).select_related("recipient")
        return queryset

    def has_resend_permission(self, request: HttpRequest) -> bool:
        return Caller.of(request.user).holds("send:notification")  # type: ignore[arg-type]  # the admin's users are ours

    @admin.action(description="Send again", permissions=["resend"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Message]) -> None:
        actor = Caller.of(request.user)  # type: ignore[arg-type]  # as above
        wanted = list(queryset.values_list("id", flat=True))
        count = services.resend(message_ids=wanted, actor=actor)
        messages.success(request, f"{count} of {len(wanted)} messages queued again.")
        if count < len(wanted):
            messages.warning(request, "Messages that are under way already were left alone.")

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *arguments: Any, obj: Any = None, **keywords: Any
    ) -> HttpResponse:
        context["mail"] = _preview(obj) if obj is not None and request.user.is_superuser else None
        context["may_resend"] = self.has_resend_permission(request)
        response: HttpResponse = super().render_change_form(request, context, *arguments, obj=obj, **keywords)
        return response


def _preview(message: Message) -> dict[str, str]:
    """Return the mail for the page; where `ADMIN_SHOWS_MAIL_SECRETS` is off, without the secrets of its links."""
    try:
        mail = render(message)
    except (LookupError, DecryptionFailed) as error:
        return {"error": f"This message cannot be shown: {error}"}
    if settings.ADMIN_SHOWS_MAIL_SECRETS:
        found = _LINK.search(mail.text)
        return {"subject": mail.subject, "text": mail.text, "html": mail.html, "link": found[0] if found else ""}
    code = str(message.context.get("code", ""))
    text, html = _masked(mail.text, code), _masked(mail.html, code)
    return {"subject": mail.subject, "text": text, "html": html, "link": ""}


def _masked(text: str, code: str) -> str:
    """Return the text without the secrets of its links, and without the code that it tells."""
    without_code = text.replace(code, "••••••") if code else text
    return _SECRET.sub(r"\1••••••••", without_code)
