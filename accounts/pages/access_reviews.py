"""The access review as staff see it: everyone, what is to worry about, and the mark that somebody has looked."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, IntegerField, Max, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from unfold.forms import ActionForm
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.models import AccessReview, ApiToken, Session
from accounts.models.access_reviews import AccessOfUser
from accounts.services import access_review
from core.model_admin import ReadOnlyModelAdmin, badge
from core.permissions import ADMIN, Caller


class ConcernFilter(admin.SimpleListFilter):
    """What a reviewer looks for."""

    title = "concern"
    parameter_name = "concern"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return [(name, words) for name, (words, _) in access_review.concerns(datetime.now(UTC)).items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AccessOfUser]) -> QuerySet[AccessOfUser]:
        found = access_review.concerns(datetime.now(UTC)).get(self.value() or "")
        return queryset.filter(found[1]) if found else queryset


class NoteForm(ActionForm):  # type: ignore[misc]  # unfold has no types
    """What was found, beside the choice of the action."""

    note = forms.CharField(
        required=False,
        max_length=access_review.NOTE_LENGTH,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "Note"}),
    )


@admin.register(AccessOfUser)
class AccessReviewAdmin(ReadOnlyModelAdmin):
    """Who may what, and when they last did; all one can do is note that it was looked at."""

    list_display = ("email", "role", "permission_list", "mfa_label", "token_count", "last_login_at", "seen", "reviewed")
    list_filter = (ConcernFilter, "role")
    list_select_related = ("role",)
    search_fields = ("email", "name")
    search_help_text = "Part of the address or the name"
    ordering = ("email",)
    actions = ("mark_as_reviewed",)
    action_form = NoteForm
    fields = (("email", "name"), "role", "everything", "history")
    readonly_fields = ("everything", "history")

    def get_queryset(self, request: HttpRequest) -> QuerySet[AccessOfUser]:
        tokens = ApiToken.objects.live().filter(user=OuterRef("pk")).order_by().values("user")
        seen = Session.objects.filter(user=OuterRef("pk"), impersonated_by=None).order_by().values("user")
        reviewed = AccessReview.objects.filter(user=OuterRef("pk")).order_by("-created_at").values("created_at")[:1]
        live: QuerySet[AccessOfUser] = AccessOfUser.objects.all()  # type: ignore[assignment]  # a proxy
        return live.select_related("role").annotate(
            token_number=Coalesce(Subquery(tokens.annotate(n=Count("pk")).values("n"), output_field=IntegerField()), 0),
            seen_at=Subquery(seen.annotate(at=Max("last_seen_at")).values("at")),
            reviewed_at=Subquery(reviewed),
        )

    @admin.display(description="permissions")
    def permission_list(self, user: AccessOfUser) -> str:
        return ", ".join(user.role.permissions) or "none"

    @badge("MFA", {"on": "success", "off": "warning"}, ordering="mfa_enabled")
    def mfa_label(self, user: AccessOfUser) -> str:
        return "on" if user.mfa_enabled else "off"

    @admin.display(description="live tokens", ordering="token_number")
    def token_count(self, user: Any) -> int:
        return int(user.token_number)

    @admin.display(description="last seen", ordering="seen_at")
    def seen(self, user: Any) -> Any:
        return user.seen_at

    @admin.display(description="last review", ordering="reviewed_at")
    def reviewed(self, user: Any) -> Any:
        return user.reviewed_at

    @admin.display(description="access")
    def everything(self, user: AccessOfUser) -> SafeString:
        (row,) = access_review.rows_of([user])
        told = ((name.replace("_", " "), "none" if row[name] == "" else row[name]) for name in row)
        return format_html_join("", "<div>{}: <strong>{}</strong></div>", told)

    @admin.display(description="reviews")
    def history(self, user: AccessOfUser) -> SafeString:
        marks = user.access_reviews.select_related("reviewed_by").order_by("-created_at")[:20]
        rows = ((f"{mark.created_at:%d %B %Y}", mark.reviewed_by or "somebody", mark.note) for mark in marks)
        return format_html_join("", "<div>{} by {} {}</div>", rows)

    def has_mark_permission(self, request: HttpRequest) -> bool:
        return _actor(request).holds(ADMIN)

    @admin.action(description="Mark as reviewed", permissions=["mark"])
    def mark_as_reviewed(self, request: HttpRequest, queryset: QuerySet[AccessOfUser]) -> None:
        actor, note = _actor(request), request.POST.get("note", "")
        self.for_each(
            request,
            queryset.order_by("pk"),
            lambda user: access_review.mark_reviewed(actor=actor, user_id=user.pk, note=note),
            done="{} marked as reviewed.",
        )


def _actor(request: HttpRequest) -> Caller:
    return Caller.of(request.user)  # type: ignore[arg-type]  # the admin's users are ours
