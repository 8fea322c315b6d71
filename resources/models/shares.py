"""Shares: access to one resource that someone who may give it gave to a user, a role or a link."""

from typing import Final

from django.conf import settings
from django.db import models
from django.db.models import BooleanField, ExpressionWrapper, F, Func, Q, Subquery
from django.db.models.functions import Now

from accounts.models import Role
from core.models import BaseModel
from resources.access import Asker, Level


class _Holds(Func):
    """Whether everyone above a share still may give (see the SQL function)."""

    function = "nook_share_holds"
    output_field = BooleanField()


def _holds(to_share: str) -> Q:
    """Return the condition that the giver still may give, for rows from which this path leads.

    What an owner gave is most of what there is; comparing spares it the function, which costs 0.1 ms a share.
    """
    by_owner = Q(**{f"{to_share}through__isnull": True, f"{to_share}resource_owner_id": F(f"{to_share}given_by_id")})
    return by_owner | Q(_Holds(F(f"{to_share}id")))


def _unexpired(to_share: str) -> Q:
    return Q(**{f"{to_share}expires_at__isnull": True}) | Q(**{f"{to_share}expires_at__gt": Now()})


_HOLDS: Final = _holds("")
_UNEXPIRED: Final = _unexpired("")
_SERVES: Final = (
    (Q(link_max_uses__isnull=True) | Q(link_uses__lt=F("link_max_uses")))
    & Q(given_by__is_active=True)
    & Q(given_by__deleted_at__isnull=True)
)
"""What a link needs besides: openings that are left, and a giver who is still there to answer for it."""


def is_shared_with(asker: Asker) -> Q:
    """Return the condition on resources that a live share reaches `asker` as a user or by their role.

    A join, so that the planner begins at the shares or at what else is asked of the rows, as it sees fit; it gives a
    row twice that is shared both ways.
    """
    reached = Q(shares__user_id=asker.user) | Q(shares__role_id=_role_of(asker))
    return reached & _unexpired("shares__") & _holds("shares__")


def _role_of(asker: Asker) -> Subquery:
    return Subquery(Role.objects.filter(name=asker.role).values("id"))


def _in_order_of_lists(receiver: str) -> models.Index:
    """Return the index that holds one receiver's shares as a list shows them, with all that tells which it shows."""
    return models.Index(
        fields=[receiver, "-resource_created_at", "-resource"],
        include=[
            "id",
            "given_by",
            "through",
            "expires_at",
            "resource_owner_id",
            "resource_type",
            "resource_visibility",
            "resource_in_bin",
        ],
        condition=Q(**{f"{receiver}__isnull": False}),
        name=f"idx_shares_{receiver}_id",
    )


class ShareQuerySet(models.QuerySet["Share"]):
    """Reads that know which shares still hold."""

    def live(self) -> "ShareQuerySet":
        """Return the shares that have not expired and whose giver still may give."""
        return self.filter(_UNEXPIRED).filter(_HOLDS)

    def dead(self) -> "ShareQuerySet":
        """Return the shares whose giver may not give any more; expired ones are not among them."""
        return self.exclude(_HOLDS)

    def open_links(self) -> "ShareQuerySet":
        """Return the links that open, of resources that are in use."""
        return self.live().filter(_SERVES, link_digest__isnull=False, resource__deleted_at__isnull=True)

    def with_live(self) -> "ShareQuerySet":
        """Annotate `is_live`: whether the share gives what it says at this moment."""
        serves = Q(link_digest__isnull=True) | _SERVES
        return self.annotate(
            is_live=ExpressionWrapper(_UNEXPIRED & Q(_Holds(F("id"))) & serves, output_field=BooleanField())
        )

    def live_for(self, asker: Asker) -> "ShareQuerySet":
        """Return the live shares that reach `asker` as a user or by their role; a link reaches nobody by itself."""
        return self.live().filter(Q(user_id=asker.user) | Q(role_id=_role_of(asker)))

    def reaching(self, asker: Asker) -> "list[ShareQuerySet]":
        """Return the live shares of resources in use that reach `asker` as a user, and those that do by role alone.

        Each part is one stretch of an index that has all that is asked here.
        """
        used = self.live().filter(resource_in_bin=False)
        by_name = used.filter(Q(user_id=asker.user))
        by_role = used.filter(role_id=_role_of(asker)).exclude(resource_id__in=by_name.values("resource_id"))
        return [by_name, by_role]


class Share(BaseModel):
    """One grant. `through` is the share by which the giver held the right to give; null: as owner or admin.

    Deleting a share deletes what was given through it; a share given through another cannot outlive it.

    What a list needs to know of the resource stands here as well (`resource_…`), so that an index holds one receiver's
    shares in the order of a list; and what an aggregate needs, so that it reads no resource. Triggers write it, and
    only they.
    """

    resource = models.ForeignKey("resources.Resource", models.CASCADE, related_name="shares", db_index=False)
    resource_owner_id = models.UUIDField(editable=False)
    resource_type = models.CharField(max_length=50, editable=False)
    resource_visibility = models.CharField(max_length=10, editable=False)
    resource_created_at = models.DateTimeField(editable=False)
    resource_in_bin = models.BooleanField(editable=False)
    resource_status = models.CharField(max_length=50, null=True, editable=False)
    """Null in a share that is older than the column, until the job has come to it: then the resource is asked."""

    resource_data = models.JSONField(null=True, editable=False)
    """Of its `data` what the type's `share_plan` says, null where that is nothing or too much for a copy."""

    resource_data_since = models.IntegerField(null=True, editable=False)
    """By which plan that was: its `since`. A copy by another plan than the type's is not asked, but the resource."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="+", db_index=False
    )
    role = models.ForeignKey("accounts.Role", models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    link_digest = models.BinaryField(max_length=32, null=True, blank=True, editable=False)
    link_password = models.CharField(max_length=255, blank=True, default="", db_default="", editable=False)
    link_max_uses = models.PositiveIntegerField(null=True, blank=True)
    link_uses = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    access = models.PositiveSmallIntegerField(choices=[(level.value, level.label) for level in Level.shareable()])
    expires_at = models.DateTimeField(null=True, blank=True)
    given_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_index=False)
    through = models.ForeignKey("self", models.CASCADE, null=True, blank=True, related_name="given_on")

    objects = ShareQuerySet.as_manager()

    class Meta:
        db_table = "shares"
        constraints = [
            models.CheckConstraint(
                condition=(
                    Q(user__isnull=False, role__isnull=True, link_digest__isnull=True)
                    | Q(user__isnull=True, role__isnull=False, link_digest__isnull=True)
                    | Q(user__isnull=True, role__isnull=True, link_digest__isnull=False)
                ),
                name="ck_shares_one_receiver",
            ),
            models.CheckConstraint(
                condition=Q(access__gte=Level.VIEWER, access__lte=Level.MANAGER), name="ck_shares_access"
            ),
            models.UniqueConstraint(fields=["resource", "user"], name="uq_shares_resource_user"),
            models.UniqueConstraint(fields=["resource", "role"], name="uq_shares_resource_role"),
            models.UniqueConstraint(fields=["link_digest"], name="uq_shares_link_digest"),
        ]
        indexes = [
            models.Index(fields=["given_by"], name="idx_shares_given_by_id"),
            _in_order_of_lists("user"),
            _in_order_of_lists("role"),
        ]

    @property
    def level(self) -> Level:
        """Return what the share gives."""
        return Level(self.access)

    @property
    def is_link(self) -> bool:
        return self.link_digest is not None

    def __str__(self) -> str:
        return f"{Level(self.access).label} of {self.resource_id}"
