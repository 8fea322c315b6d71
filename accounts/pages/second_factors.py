"""Two-factor sign-in of others, as staff see it on the page of users: who has it, and taking it away."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from accounts.models import User
from accounts.pages import staff
from accounts.services.mfa_reset import reset_second_factors
from core.model_admin import AuditedModelAdmin


class TwoFactorFilter(admin.SimpleListFilter):
    """Who has two-factor sign-in, and who lacks it though their role demands it."""

    title = "two-factor sign-in"
    parameter_name = "two_factor"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return [("on", "On"), ("off", "Off"), ("missing", "Demanded, but off")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        demanded = Q(role__require_mfa=True) | Q(role__name__in=settings.MFA_REQUIRED_ROLES)
        conditions = {
            "on": Q(mfa_enabled=True),
            "off": Q(mfa_enabled=False),
            "missing": Q(mfa_enabled=False, deleted_at=None) & demanded,
        }
        return queryset.filter(conditions.get(self.value() or "", Q()))


class ResetsSecondFactors(AuditedModelAdmin):
    """The action for somebody who has lost phone and recovery codes."""

    @admin.display(description="two-factor", boolean=True, ordering="mfa_enabled")
    def has_two_factor(self, user: User) -> bool:
        return user.mfa_enabled

    @admin.action(description="Reset two-factor sign-in", permissions=["change"])
    def reset_two_factor(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        actor = staff.caller_of(request)
        self.for_each(
            request,
            queryset.filter(deleted_at=None).order_by("pk"),
            lambda user: reset_second_factors(actor=actor, user_id=user.pk),
            done="Two-factor sign-in of {} users reset.",
        )
