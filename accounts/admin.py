"""Users, roles and sessions as staff see them; every change is a call of the service that the API calls."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final

from django import forms
from django.contrib import admin
from django.db import models
from django.db.models import Count, Exists, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce, Now
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.widgets import (
    UnfoldAdminEmailInputWidget,
    UnfoldAdminTextInputWidget,
)

from accounts.avatars import SHOWN
from accounts.models import Role, Session, SingleUseToken, User
from accounts.models.users import NEVER_SET_UP
from accounts.pages.access_reviews import AccessReviewAdmin
from accounts.pages.api_tokens import ApiTokenAdmin
from accounts.pages.connections import ConnectionAdmin, links_to_connections
from accounts.pages.impersonations import ImpersonationAdmin
from accounts.pages.passkeys import PasskeyAdmin
from accounts.pages.roles import RoleAdmin
from accounts.pages.second_factors import ResetsSecondFactors, TwoFactorFilter
from accounts.pages.threats import ThreatAdmin
from accounts.services import avatars, erasing, invitations, unlocking, users
from accounts.services.single_use_tokens import INVITATION
from accounts.services.users import NewUser
from core.model_admin import CheckSeen, ReadOnlyModelAdmin, SeenForm
from core.permissions import ADMIN, Caller

__all__ = [
    "AccessReviewAdmin",
    "ApiTokenAdmin",
    "ConnectionAdmin",
    "ImpersonationAdmin",
    "PasskeyAdmin",
    "RoleAdmin",
    "SessionAdmin",
    "ThreatAdmin",
    "UserAdmin",
]

_MONTH: Final = timedelta(days=30)


def _count_of(related: QuerySet[Any], column: str) -> Coalesce:
    """Return the number of related rows as a subquery: two joins would multiply each other's counts."""
    counted = related.order_by().values(column).annotate(number=Count("pk")).values("number")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)


class RoleFilter(admin.SimpleListFilter):
    """Which role the user has."""

    title = "role"
    parameter_name = "role"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return [(name, name) for name in Role.objects.order_by("name").values_list("name", flat=True)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        return queryset.filter(role__name=self.value()) if self.value() else queryset


class AccountFilter(admin.SimpleListFilter):
    """What stands between the user and signing in, or how long ago they last did."""

    title = "account"
    parameter_name = "account"

    _CONDITIONS: ClassVar[dict[str, dict[str, Any]]] = {
        "ready": {"is_active": True, "email_verified": True, "deleted_at": None},
        "unconfirmed": {"email_verified": False, "deleted_at": None},
        "disabled": {"is_active": False, "deleted_at": None},
        "deleted": {"deleted_at__isnull": False},
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return [
            *((name, name.capitalize()) for name in self._CONDITIONS),
            ("invited", "Invited"),
            ("overdue", "Invitation expired"),
            ("idle", "Not seen for 30 days"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        if self.value() in {"invited", "overdue"}:
            waiting = queryset.filter(NEVER_SET_UP, deleted_at=None)
            return waiting.filter(models.Q(("is_invited", self.value() == "invited")))
        if self.value() == "idle":
            return queryset.filter(deleted_at=None).exclude(last_login_at__gt=datetime.now(UTC) - _MONTH)
        return queryset.filter(**self._CONDITIONS.get(self.value() or "", {}))


class UserForm(SeenForm):
    """A user as staff write them; a new one is mailed a link to set a password."""

    email = forms.EmailField(label="E-mail address", max_length=255, widget=UnfoldAdminEmailInputWidget)
    name = forms.CharField(max_length=255, widget=UnfoldAdminTextInputWidget)

    class Meta:
        model = User
        fields = ("email", "name", "role", "is_active", "email_verified")
        labels: ClassVar[dict[str, str]] = {"is_active": "Enabled", "email_verified": "Address confirmed"}


@admin.register(User)
class UserAdmin(ResetsSecondFactors):
    """Users; deleted ones show under their filter and can be restored."""

    form = UserForm
    list_display = ("email", "name", "role", "state_label", "has_two_factor", "session_count", "last_login_at")
    list_filter = (AccountFilter, RoleFilter, TwoFactorFilter)
    list_select_related = ("role",)
    search_fields = ("email", "name")
    search_help_text = "Part of the address or the name"
    ordering = ("-created_at",)
    actions = (
        "end_their_sessions",
        "unlock",
        "invite_again",
        "disable",
        "enable",
        "confirm_address",
        "reset_two_factor",
        "remove_avatar",
        "restore",
        "erase_now",
    )
    readonly_fields = (
        *("state_label", "has_two_factor", "avatar_picture", "phone", "phone_verified", "connection_links"),
        *("last_login_at", "created_at", "updated_at"),
    )
    actions_detail = ("act_as",)
    fieldsets = (
        (None, {"fields": (("email", "name"), ("role", "state_label"), ("is_active", "email_verified"))}),
        ("Picture and telephone", {"fields": ("avatar_picture", ("phone", "phone_verified"))}),
        ("Signing in", {"fields": (("has_two_factor", "connection_links", "last_login_at"),)}),
        ("Times", {"fields": (("created_at", "updated_at"),)}),
    )

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Return what there is to see: of somebody who is not there yet, what staff write."""
        return super().get_fieldsets(request, obj) if obj else [(None, {"fields": UserForm.Meta.fields})]

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        live = Session.objects.live().filter(user=OuterRef("pk"))
        invitation = SingleUseToken.objects.filter(
            user=OuterRef("pk"), purpose=INVITATION, used_at=None, expires_at__gt=Now()
        )
        return User.all_objects.select_related("role").annotate(
            session_number=_count_of(live, "user"), is_invited=Exists(invitation)
        )

    @display(description="sessions", ordering="session_number")
    def session_count(self, user: Any) -> int:
        return int(user.session_number)

    @display(
        description="account",
        label={
            "ready": "success",
            "invited": "info",
            "invitation expired": "warning",
            "unconfirmed": "warning",
            "disabled": "danger",
            "deleted": "danger",
        },
    )
    def state_label(self, user: Any) -> str:
        if user.deleted_at is not None:
            return "deleted"
        if not user.is_active:
            return "disabled"
        if user.last_login_at is None and not user.has_usable_password():
            return "invited" if user.is_invited else "invitation expired"
        return "ready" if user.email_verified else "unconfirmed"

    @admin.display(description="avatar", empty_value="none")
    def avatar_picture(self, user: User) -> SafeString | None:
        if user.avatar is None:
            return None
        # Without the host, so that the page's own policy lets it in however the server is reached.
        return format_html('<img src="/avatars/{}-{}.webp" width="96" height="96" alt="">', user.avatar, SHOWN)

    @display(description="providers")
    def connection_links(self, user: User) -> str:
        return links_to_connections(user)

    def create(self, actor: Caller, row: User, values: dict[str, Any]) -> User:
        return users.create_user(actor=actor, new=NewUser(**{**values, "role": values["role"].name}))

    def change(self, actor: Caller, row: User, changes: dict[str, Any], check_seen: CheckSeen) -> None:
        wanted = {name: value.name if name == "role" else value for name, value in changes.items()}
        users.change_user(actor=actor, user_id=row.pk, changes=wanted, check_version=check_seen)

    def remove(self, actor: Caller, row: User) -> None:
        users.delete_user(actor=actor, user_id=row.pk)

    def get_deleted_objects(
        self, objs: Iterable[User], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Return the users alone: a deletion marks them, and takes nothing that refers to them."""
        names = [str(user) for user in objs]
        return names, {"users": len(names)}, set(), []

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return (obj is None or obj.deleted_at is None) and super().has_delete_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return (obj is None or obj.deleted_at is None) and super().has_change_permission(request, obj)

    def has_act_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Return whether there is somebody to act as; whom else it refuses, and why, the page itself says."""
        person = None if object_id is None else self.get_object(request, str(object_id))
        return _actor(request).holds(ADMIN) and (object_id is None or (person is not None and not person.deleted_at))

    @action(description="Act as this user", url_path="act-as", permissions=["act"], icon="support_agent")
    def act_as(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:act_as", args=[object_id]))

    @admin.action(description="End their sessions", permissions=["change"])
    def end_their_sessions(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        actor = _actor(request)
        self.for_each(
            request,
            queryset.order_by("pk"),
            lambda user: users.end_sessions_of(actor=actor, user_id=user.pk),
            done="Sessions of {} users ended.",
        )

    @admin.action(description="Unlock (forget failed sign-ins)", permissions=["change"])
    def unlock(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        actor = _actor(request)
        self.for_each(
            request,
            queryset.filter(deleted_at=None).order_by("pk"),
            lambda user: unlocking.unlock_user(actor=actor, user_id=user.pk),
            done="{} users unlocked.",
        )

    @admin.action(description="Send the invitation again", permissions=["change"])
    def invite_again(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        actor = _actor(request)
        self.for_each(
            request,
            queryset.filter(deleted_at=None).order_by("pk"),
            lambda user: invitations.resend_invitation(actor=actor, user_id=user.pk),
            done="{} invitations sent.",
        )

    @admin.action(description="Disable", permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        self._set(request, queryset, "is_active", False, done="{} users disabled.")

    @admin.action(description="Enable", permissions=["change"])
    def enable(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        self._set(request, queryset, "is_active", True, done="{} users enabled.")

    @admin.action(description="Confirm their address", permissions=["change"])
    def confirm_address(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        self._set(request, queryset, "email_verified", True, done="{} addresses confirmed.")

    @admin.action(description="Remove avatar", permissions=["change"])
    def remove_avatar(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        actor = _actor(request)
        self.for_each(
            request,
            queryset.filter(avatar__isnull=False, deleted_at=None).order_by("pk"),
            lambda user: avatars.remove_avatar(actor=actor, user_id=user.pk),
            done="Avatars of {} users removed.",
        )

    @admin.action(description="Restore", permissions=["delete"])
    def restore(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        actor = _actor(request)
        self.for_each(
            request,
            queryset.filter(deleted_at__isnull=False).order_by("pk"),
            lambda user: users.restore_user(actor=actor, user_id=user.pk),
            done="{} users restored.",
        )

    def has_erase_permission(self, request: HttpRequest) -> bool:
        return _actor(request).holds(ADMIN)

    @admin.action(description="Erase now (deleted users, for good)", permissions=["erase"])
    def erase_now(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        actor, people = _actor(request), queryset.filter(anonymised_at=None).order_by("pk")
        self.for_each(
            request, people, lambda user: erasing.erase_now(actor=actor, user_id=user.pk), done="{} users erased."
        )

    def _set(self, request: HttpRequest, queryset: QuerySet[User], field: str, value: bool, *, done: str) -> None:
        actor = _actor(request)
        self.for_each(
            request,
            queryset.filter(deleted_at=None).exclude(**{field: value}).order_by("pk"),
            lambda user: users.change_user(actor=actor, user_id=user.pk, changes={field: value}),
            done=done,
        )


class SessionFilter(admin.SimpleListFilter):
    """Whether the session still serves."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return [("live", "Live"), ("ended", "Ended")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Session]) -> QuerySet[Session]:
        if self.value() == "live":
            return Session.objects.live() & queryset
        return Session.objects.expired() & queryset if self.value() == "ended" else queryset


@admin.register(Session)
class SessionAdmin(ReadOnlyModelAdmin):
    """Sessions: who is signed in where; all one can do is end them."""

    list_display = ("user", "device", "ip", "state_label", "last_seen_at", "created_at")
    list_filter = (SessionFilter,)
    list_select_related = ("user",)
    search_fields = ("user__email", "=ip")
    search_help_text = "Part of the address, or a whole IP"
    ordering = ("-created_at",)
    actions = ("end",)
    fields = (
        "user",
        ("device", "ip", "user_agent"),
        ("created_at", "last_seen_at", "authenticated_at", "expires_at"),
        ("state_label", "revoked_at", "revoke_reason"),
    )
    readonly_fields = ("state_label",)

    @display(description="state", label={"live": "success", "revoked": "danger", "expired": "warning"})
    def state_label(self, session: Session) -> str:
        if session.revoked_at is not None:
            return "revoked"
        return "live" if session.expires_at > datetime.now(UTC) else "expired"

    def has_end_permission(self, request: HttpRequest) -> bool:
        return _actor(request).holds("write:user")

    @admin.action(description="End", permissions=["end"])
    def end(self, request: HttpRequest, queryset: QuerySet[Session]) -> None:
        actor = _actor(request)
        self.for_each(
            request,
            queryset.filter(revoked_at=None).order_by("pk"),
            lambda session: users.end_session_of(actor=actor, session_id=session.pk),
            done="{} sessions ended.",
        )


def _actor(request: HttpRequest) -> Caller:
    return Caller.of(request.user)  # type: ignore[arg-type]  # the admin's users are ours
