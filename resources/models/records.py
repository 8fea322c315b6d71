"""The resource: a typed record with an owner, validated data, tags, a state and a history."""

from datetime import timedelta
from enum import Enum
from functools import reduce
from operator import or_
from typing import Any, ClassVar, Self
from uuid import UUID

from django.conf import settings
from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import (
    BooleanField,
    DateTimeField,
    DurationField,
    Exists,
    ExpressionWrapper,
    F,
    Func,
    IntegerField,
    Max,
    OuterRef,
    Q,
    Subquery,
    Value,
)
from django.db.models.functions import Coalesce, Now

from core.models import BaseModel, SoftDeleteModel, SoftDeleteQuerySet, StoredJSON
from core.permissions import Caller
from resources.access import Asker, Level, level_expression, reasons
from resources.models.shares import Share, is_shared_with
from resources.models.statistics import most_rows_are_open
from resources.models.types import ITEM, ResourceType
from resources.visibility import Visibility

LIVE = Q(deleted_at__isnull=True)


class Form(Enum):
    """How the visible rows are found: by a test of each, or by a union of the ids that each reason gives.

    EACH is the test for one row, or few: it looks their shares up instead of gathering all that reach the asker.
    """

    OR = "or"
    UNION = "union"
    EACH = "each"


def form_for(asker: Asker) -> Form:
    """Return the form that serves this asker best: a walk along the list's index ends soon where much is open."""
    if asker.sees_everything or asker.user is None or most_rows_are_open():
        return Form.OR
    return Form.UNION


class ResourceQuerySet(SoftDeleteQuerySet["Resource"]):
    """Reads of resources; `visible_to` is the one door for everything that a caller is shown."""

    def visible_to(self, caller: Caller | Asker, *, form: "Form | None" = None) -> Self:
        """Return the live rows that `caller` may read, in the form that suits how much that is."""
        asker = caller if isinstance(caller, Asker) else Asker.of(caller)
        if asker.sees_everything:
            return self.alive()
        form = form or form_for(asker)
        if form is Form.EACH:
            return self.visible_one_by_one(asker)
        return self.visible_by_test(asker) if form is Form.OR else self.visible_by_union(asker)

    def visible_by_test(self, asker: Asker) -> Self:
        """Return the readable rows by testing each: the OR form."""
        if asker.sees_everything:
            return self.alive()
        condition = Q()
        for reason in _all_reasons(asker):
            condition |= reason
        return self.alive().filter(condition)

    def visible_by_union(self, asker: Asker) -> Self:
        """Return the readable rows by gathering their ids, one index for each reason: the UNION form."""
        if asker.sees_everything:
            return self.alive()
        first, *others = [self.model.all_objects.filter(LIVE, reason).values("id") for reason in reasons(asker)]
        if asker.user is not None:
            others.append(Share.objects.live_for(asker).values("resource_id"))
        return self.alive().filter(id__in=first.union(*others))

    def visible_in_parts(self, asker: Asker, form: Form = Form.OR, *, by_ids: bool = False) -> list[Self]:
        """Return the readable rows in parts without overlap, one for each reason, each with an index that leads to it.

        An index alone counts the first part: what is open to all in the OR form, in the UNION form one's own. `by_ids`
        of the UNION form: the reason gives ids, from its index alone, beside which another index may lead to the rows.
        """
        if asker.sees_everything:
            return [self.alive()]
        ordered = reasons(asker)[::-1] if form is Form.UNION else _all_reasons(asker)
        parts, counted = [], Q()
        for reason in ordered:
            led = Q(id__in=self.model.all_objects.filter(LIVE, reason).values("id")) if by_ids else reason
            parts.append(self.alive().filter(led).exclude(counted) if counted else self.alive().filter(led))
            counted |= reason
        if form is Form.UNION and asker.user is not None:
            # Distinct: a test of each row for another share would cost more in planning than all the rest.
            shared = self.filter(is_shared_with(asker)).distinct() if by_ids else self.filter(_shared_with(asker))
            parts.append(shared.alive().exclude(counted))
        return parts

    def visible_one_by_one(self, asker: Asker) -> Self:
        """Return the readable rows by a test of each that costs the same however much is shared: for few rows."""
        if asker.sees_everything or asker.user is None:
            return self.visible_by_test(asker)
        shared = Share.objects.live_for(asker).filter(resource_id=OuterRef("pk"))
        return self.alive().filter(reduce(or_, reasons(asker)) | Q(Exists(shared)))

    def with_level(self, asker: Asker) -> Self:
        """Annotate `level`: the access level of `asker` on rows that they may read."""
        return self.annotate(level=level_expression(asker, share_level(asker)))

    def at_level(self, asker: Asker, level: Level) -> Self:
        """Return those of the readable rows on which `asker` has exactly this level."""
        if level is Level.OWNER:
            return self.filter(owner_id=asker.user) if asker.user is not None else self._nothing()
        if asker.user is None or asker.is_admin or level is Level.ADMIN:
            only = Level.VIEWER if asker.user is None else Level.ADMIN if asker.is_admin else Level.NONE
            return self.exclude(owner_id=asker.user) if level is only else self._nothing()
        rows = self.alias(held=level_expression(asker, share_level(asker))).filter(held=level)
        if level in {Level.COMMENTER, Level.MANAGER}:
            # Nothing but a share gives these: the shares lead to the rows.
            rows = rows.filter(
                is_among(ArraySubquery(Share.objects.live_for(asker).filter(access=level).values("resource_id")))
            )
        return rows

    def _nothing(self) -> Self:
        """Return no row, by a statement that can be compiled: Django has none for `none()`."""
        return self.filter(id__isnull=True)

    def with_share(self, asker: Asker) -> Self:
        """Annotate `share`: the level of the highest live share that reaches `asker`, 0 for none."""
        return self.annotate(share=share_level(asker))

    def with_present_schema(self) -> Self:
        """Annotate `present_type_id` and `present_schema_version`: what the next write is judged by."""
        return self.annotate(present_type_id=F("type__id"), present_schema_version=F("type__schema_version"))

    def with_workflow(self) -> Self:
        """Annotate `workflow`: that of the type, as it is now."""
        return self.annotate(workflow=F("type__workflow"))

    def past_the_bin(self) -> Self:
        """Return the rows that have lain in the bin for as many days as their type gives them."""
        day = Value(timedelta(days=1), DurationField())
        end = ExpressionWrapper(Now() - F("type__trash_days") * day, output_field=DateTimeField())
        return self.dead().filter(deleted_at__lt=end)

    def in_bin_of(self, caller: Caller | Asker) -> Self:
        """Return the deleted rows that `caller` may bring back: who may delete, may restore."""
        asker = caller if isinstance(caller, Asker) else Asker.of(caller)
        dead = self.dead()
        if asker.is_admin or asker.deletes.everything:
            return dead
        managed = Share.objects.live_for(asker).filter(access__gte=Level.MANAGER).values("resource_id")
        condition = Q(owner_id=asker.user) | Q(is_among(ArraySubquery(managed)))
        if asker.deletes.types:
            condition |= Q(type_id__in=list(asker.deletes.types))
        return dead.filter(condition)


def _all_reasons(asker: Asker) -> list[Q]:
    """Return the conditions of which any one lets `asker` read a resource, shares included."""
    if asker.user is None:
        return reasons(asker)
    return [*reasons(asker), _shared_with(asker)]


def _shared_with(asker: Asker) -> Q:
    return Q(is_among(ArraySubquery(Share.objects.live_for(asker).values("resource_id"))))


def is_among(ids: ArraySubquery) -> Func:
    """Return `id = ANY(ARRAY(…))`: computed once, and open to an index where `IN (SELECT …)` is not."""
    return Func(F("id"), ids, template="%(expressions)s)", arg_joiner=" = ANY(", output_field=BooleanField())


def share_level(asker: Asker) -> Coalesce:
    if asker.user is None:
        return Coalesce(Value(None, IntegerField()), Value(Level.NONE.value))
    shares = Share.objects.live_for(asker).filter(resource_id=OuterRef("id")).order_by()
    highest = shares.values("resource_id").annotate(highest=Max("access")).values("highest")
    return Coalesce(Subquery(highest, output_field=IntegerField()), Value(Level.NONE.value))


class ResourceManager(models.Manager.from_queryset(ResourceQuerySet)):  # type: ignore[misc]  # made at run time
    """Every resource, without the search vector: it is written by a trigger and read by nobody."""

    def get_queryset(self) -> ResourceQuerySet:
        return ResourceQuerySet(self.model, using=self._db).defer("search")


class LiveResourceManager(ResourceManager):
    """The resources that are not in the bin."""

    def get_queryset(self) -> ResourceQuerySet:
        return super().get_queryset().alive()


class Resource(BaseModel, SoftDeleteModel):
    """A record of a type. Every write raises `version` by one and leaves a `ResourceVersion`."""

    type = models.ForeignKey(
        ResourceType, models.PROTECT, to_field="key", db_column="type", default=ITEM, db_index=False, related_name="+"
    )
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, db_index=False, related_name="resources")
    name = models.CharField(max_length=255)
    description = models.CharField(max_length=10_000, blank=True, default="", db_default="")
    status = models.CharField(max_length=50, default="active", db_default="active")
    visibility = models.CharField(
        max_length=10, choices=Visibility.choices, default=Visibility.PRIVATE, db_default=Visibility.PRIVATE.value
    )
    data = models.JSONField(default=dict, db_default={}, blank=True, decoder=StoredJSON)
    tags = ArrayField(models.CharField(max_length=50), default=list, db_default=[], blank=True)
    external_id = models.CharField(max_length=200, null=True, blank=True)
    version = models.PositiveIntegerField(default=1, db_default=1, editable=False)
    schema_version = models.PositiveIntegerField(default=1, db_default=1, editable=False)
    search = SearchVectorField(null=True, editable=False)
    # As in every model with a bin, but with an index of those alone that somebody deleted.
    deleted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        db_index=False,
    )

    present_type_id: UUID
    """Annotated by `with_present_schema`."""

    present_schema_version: int
    """As above."""

    workflow: dict[str, Any] | None
    """Annotated by `with_workflow`."""

    objects: ClassVar[LiveResourceManager] = LiveResourceManager()
    all_objects: ClassVar[ResourceManager] = ResourceManager()

    class Meta:
        db_table = "resources"
        constraints = [
            models.CheckConstraint(condition=Q(visibility__in=Visibility.values), name="ck_resources_visibility"),
            models.CheckConstraint(condition=~Q(name=""), name="ck_resources_name"),
            models.CheckConstraint(condition=Q(version__gte=1), name="ck_resources_version"),
            models.UniqueConstraint(
                fields=["type", "owner", "external_id"], condition=LIVE, name="uq_resources_type_owner_external_id"
            ),
        ]
        # Every list index ends in `id`, which makes the order total, and holds live rows only.
        indexes = [
            models.Index(F("created_at").desc(), F("id").desc(), condition=LIVE, name="idx_resources_created_at"),
            models.Index(F("updated_at").desc(), F("id").desc(), condition=LIVE, name="idx_resources_updated_at"),
            models.Index(F("name"), F("id"), condition=LIVE, name="idx_resources_name"),
            models.Index(F("status"), F("id"), condition=LIVE, name="idx_resources_status"),
            models.Index(
                F("owner"), F("created_at").desc(), F("id").desc(), condition=LIVE, name="idx_resources_owner_id"
            ),
            models.Index(
                F("visibility"), F("created_at").desc(), F("id").desc(), condition=LIVE, name="idx_resources_visibility"
            ),
            models.Index(F("type"), F("created_at").desc(), F("id").desc(), condition=LIVE, name="idx_resources_type"),
            models.Index(
                F("external_id"),
                F("id"),
                condition=LIVE & Q(external_id__isnull=False),
                name="idx_resources_external_id",
            ),
            models.Index(F("owner"), F("deleted_at").desc(), condition=~LIVE, name="idx_resources_deleted_at"),
            models.Index(F("delete_op"), condition=~LIVE, name="idx_resources_delete_op"),
            models.Index(
                fields=["deleted_by"], condition=Q(deleted_by__isnull=False), name="idx_resources_deleted_by_id"
            ),
            GinIndex(fields=["search"], condition=LIVE, name="idx_resources_search"),
            GinIndex(fields=["tags"], condition=LIVE, name="idx_resources_tags"),
            GinIndex(OpClass(F("data"), name="jsonb_path_ops"), condition=LIVE, name="idx_resources_data"),
            GinIndex(OpClass(F("name"), name="gin_trgm_ops"), condition=LIVE, name="idx_resources_name_trgm"),
        ]

    @property
    def type_key(self) -> str:
        """Return the key of the type, as text."""
        return str(self.type_id)

    def __str__(self) -> str:
        return self.name
