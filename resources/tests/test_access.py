"""Who may what: both SQL forms and the verdict say the same as the rules, in every world."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings

from core.permissions import Caller
from resources.access import NEEDED, Action, Asker, Holding, Level, decide
from resources.models import Form, Resource, Share
from resources.tests.worlds import World, WorldSketch, worlds
from resources.walks import IN_SHARES, newest_in_parts

pytestmark = pytest.mark.django_db
many_worlds = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

PARTS: tuple[dict[str, Any], ...] = ({}, {"form": Form.UNION}, {"form": Form.UNION, "by_ids": True})
"""The ways to have the readable rows in parts."""


@contextmanager
def world_of(sketch: WorldSketch) -> Iterator[World]:
    """Build the world for one example and take it away again."""
    with transaction.atomic():
        yield World(sketch)
        transaction.set_rollback(True)


def walked(asker: Asker) -> list[UUID]:
    """Return the ids that the walks of a list find, each as often as they do."""
    paths = {Resource: "id", Share: IN_SHARES["pk"]}
    return [id_ for part in newest_in_parts(asker) for id_ in part.values_list(paths[part.model], flat=True)]


@given(sketch=worlds())
@many_worlds
def test_every_sql_form_shows_each_caller_exactly_what_the_rules_let_them_read(sketch: WorldSketch) -> None:
    with world_of(sketch) as world:
        for caller in world.callers():
            readable = {row.id for row in world.resources if world.level(caller, row) >= Level.VIEWER}
            asker = Asker.of(caller)

            assert set(Resource.objects.all().visible_by_test(asker).values_list("id", flat=True)) == readable
            assert set(Resource.objects.all().visible_by_union(asker).values_list("id", flat=True)) == readable
            assert set(Resource.objects.all().visible_one_by_one(asker).values_list("id", flat=True)) == readable
            for how in PARTS:
                parts = Resource.objects.all().visible_in_parts(asker, **how)
                assert sorted(id_ for part in parts for id_ in part.values_list("id", flat=True)) == sorted(readable)
            if asker.user is not None and not asker.sees_everything:
                assert sorted(walked(asker)) == sorted(readable)
            assert set(Resource.objects.visible_to(caller).values_list("id", flat=True)) == readable


@given(sketch=worlds())
@many_worlds
def test_the_level_in_sql_is_the_level_of_the_rules(sketch: WorldSketch) -> None:
    with world_of(sketch) as world:
        for caller in world.callers():
            asker = Asker.of(caller)
            rows = Resource.objects.visible_to(caller).with_level(asker).with_share(asker)

            assert {row.id: (row.level, row.share) for row in rows} == {
                row.id: (world.level(caller, row), world.share_level(caller, row))
                for row in world.resources
                if world.level(caller, row) >= Level.VIEWER
            }


@given(sketch=worlds())
@many_worlds
def test_the_verdict_on_one_resource_is_that_of_the_rules(sketch: WorldSketch) -> None:
    with world_of(sketch) as world:
        for caller in world.callers():
            for row in world.resources:
                holding = Holding(row.owner_id, row.type_id, row.visibility, world.share_level(caller, row))
                for action in Action:
                    verdict = decide(Asker.of(caller), holding, action)

                    assert verdict.allowed == _may(world, caller, row, action)
                    assert verdict.level == world.level(caller, row)
                    assert bool(verdict.because) == verdict.allowed
                    assert bool(verdict.would_need) != verdict.allowed


def _may(world: World, caller: Caller, row: Resource, action: Action) -> bool:
    level = world.level(caller, row)
    may_delete = "admin" in caller.permissions or bool(
        caller.permissions & {"delete:resource", f"delete:resource.{row.type_id}"}
    )
    if action in {Action.DELETE, Action.DESTROY} and may_delete and level >= Level.VIEWER:
        return True
    return level >= NEEDED[action]
