"""Threats as staff see them: what was found about whom, and the mark that somebody has looked at it."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from accounts.models import Threat
from accounts.services.threats import RULES, review_threats
from core.admin import as_json
from core.model_admin import ReadOnlyModelAdmin, badge
from core.permissions import ADMIN, Caller


class RuleFilter(admin.SimpleListFilter):
    """Which rule found it."""

    title = "rule"
    parameter_name = "rule"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return [(rule.name, rule.title) for rule in RULES.values()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Threat]) -> QuerySet[Threat]:
        return queryset.filter(rule=self.value()) if self.value() else queryset


class ReviewFilter(admin.SimpleListFilter):
    """Whether somebody has looked at it."""

    title = "review"
    parameter_name = "review"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return [("open", "Open"), ("reviewed", "Reviewed")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Threat]) -> QuerySet[Threat]:
        if self.value() not in {"open", "reviewed"}:
            return queryset
        return queryset.filter(reviewed_at__isnull=self.value() == "open")


@admin.register(Threat)
class ThreatAdmin(ReadOnlyModelAdmin):
    """What the rules have found, newest first."""

    list_display = ("last_seen_at", "rule_title", "user", "count", "state_label", "reviewed_by")
    list_filter = (ReviewFilter, RuleFilter)
    list_select_related = ("user", "reviewed_by")
    search_fields = ("user__email", "summary")
    search_help_text = "Part of the address or of what was found"
    ordering = ("-last_seen_at", "-id")
    actions = ("mark_as_reviewed",)
    fields = (
        ("rule_title", "user"),
        "summary",
        ("count", "first_seen_at", "last_seen_at"),
        "known_from",
        ("state_label", "reviewed_by", "reviewed_at"),
    )
    readonly_fields = ("rule_title", "known_from", "state_label")

    @admin.display(description="rule", ordering="rule")
    def rule_title(self, threat: Threat) -> str:
        return RULES[threat.rule].title if threat.rule in RULES else threat.rule

    @badge("state", {"open": "warning", "reviewed": "success"}, ordering="reviewed_at")
    def state_label(self, threat: Threat) -> str:
        return "open" if threat.reviewed_at is None else "reviewed"

    @admin.display(description="known from")
    def known_from(self, threat: Threat) -> SafeString:
        return as_json(threat.evidence)

    def has_review_permission(self, request: HttpRequest) -> bool:
        return _actor(request).holds(ADMIN)

    @admin.action(description="Mark as reviewed", permissions=["review"])
    def mark_as_reviewed(self, request: HttpRequest, queryset: QuerySet[Threat]) -> None:
        ids = list(queryset.order_by("pk").values_list("pk", flat=True))
        count = review_threats(ids=ids, actor=_actor(request))
        messages.success(request, f"{count} threats marked as reviewed.")


def _actor(request: HttpRequest) -> Caller:
    return Caller.of(request.user)  # type: ignore[arg-type]  # the admin's users are ours
