"""Plans beside a plain ModelSerializer: the same rows give the same JSON, for everyone, in both forms."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from rest_framework import serializers

from accounts.models import User
from core.api.pagination import sort_keys
from core.permissions import Caller
from core.times import rfc3339
from resources import plans
from resources.access import Asker, Level
from resources.models import Form, Resource
from resources.query import SORTS
from resources.shapes import ListShape, Shape
from resources.tests.test_access import world_of
from resources.tests.worlds import World, WorldSketch, worlds

pytestmark = pytest.mark.django_db


class Rfc3339Field(serializers.DateTimeField):
    """Times as everything else of ours spells them."""

    def to_representation(self, value: Any) -> str:
        return rfc3339(value)


class OwnerSerializer(serializers.ModelSerializer[User]):
    class Meta:
        model = User
        fields = ["id", "name"]


class ResourceSerializer(serializers.ModelSerializer[Resource]):
    """A resource as DRF would give it out."""

    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        **dict.fromkeys([type(Resource._meta.get_field("created_at"))], Rfc3339Field),
    }

    type = serializers.CharField(source="type_id")
    owner = OwnerSerializer()
    access = serializers.SerializerMethodField()

    class Meta:
        model = Resource
        fields = [
            "id",
            "type",
            "name",
            "description",
            "status",
            "visibility",
            "data",
            "tags",
            "external_id",
            "owner",
            "version",
            "schema_version",
            "access",
            "created_at",
            "updated_at",
            "deleted_at",
        ]

    def get_access(self, row: Any) -> str:
        return Level(row.level).label


def serialized(caller: Caller) -> list[Any]:
    """Return what the serializer says of everything the caller may read, newest first."""
    rows = Resource.objects.visible_to(caller).with_level(Asker.of(caller)).select_related("owner")
    return json.loads(json.dumps(ResourceSerializer(rows.order_by("-created_at", "-id"), many=True).data, default=str))  # type: ignore[no-any-return]


def planned(caller: Caller, form: Form) -> tuple[list[Any], int]:
    """Return what the plan of a page says of it, and the total."""
    shape = Shape(plans.slotted(caller.permissions, is_anonymous=caller.is_anonymous), form)
    statement = plans.page(ListShape(shape, sort_keys(("-created_at",), SORTS), per_page=100))
    row = statement.fetch({"user": caller.id, "role": caller.role})
    assert row is not None
    return json.loads(row[0] or b"null"), int(row[1] or 0)


def vary(world: World) -> None:
    """Give the rows values that two spellings could spell differently."""
    Resource.objects.update(
        data={
            "number": 1.5,
            "whole": 10**15,
            "text": 'é "quoted" \\ \u2028 <b>',
            "none": None,
            "list": [[], {}],
            "": 0,
        },
        tags=["ä", 'with "quotes"', "comma, brace}"],
        description="Line\nbreak\ttab",
        external_id=None,
    )
    Resource.objects.filter(id=world.resources[0].id).update(
        created_at="2026-01-02T03:04:05.100000Z", external_id="x", tags=[], data={}
    )


@given(sketch=worlds())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_plan_says_what_the_serializer_says_to_every_caller(sketch: WorldSketch) -> None:
    with world_of(sketch) as world:
        vary(world)
        for caller in world.callers():
            expected = serialized(caller)
            for form in Form:
                assert planned(caller, form) == (expected, len(expected))


def test_plans_are_kept_by_shape_and_bounded() -> None:
    asker = plans.slotted(frozenset(), is_anonymous=False)

    first = plans.detail(Shape(asker, Form.OR))

    assert plans.detail(Shape(plans.slotted(frozenset(), is_anonymous=False), Form.OR)) is first
    assert plans.detail(Shape(asker, Form.UNION)) is not first
    for function in (plans.detail, plans.version, plans.page, plans.cursor_page, plans.estimate):
        assert function.cache_info().maxsize == 512


def test_what_a_request_brings_is_never_part_of_the_statement(client_of: Any, owner: User) -> None:
    text = "'; DROP TABLE resources; --"

    response = client_of(owner).get("/api/v1/resources", {"q": text, "tag": text, "status": text, "external_id": text})

    assert (response.status_code, response.json()["data"]) == (200, [])
    assert Resource.objects.count() == 0
