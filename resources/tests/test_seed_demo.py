"""`manage.py seed_demo`: a lively world that every reader can open, made again only up to what is missing."""

from collections import Counter
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from accounts.models import User
from core.models import Event
from resources.demo.rows import COLUMNS, resource_lines
from resources.models import (
    Comment,
    FileVersion,
    Resource,
    ResourceHistory,
    ResourceReference,
    ResourceType,
    Share,
    UniqueValue,
)
from resources.schemas import compiled
from resources.schemas.workflows import states_of
from resources.services.side_rows import digest_of
from resources.tests.factories import create_type

# VACUUM runs in no transaction; what the migrations made (roles, the type) is put back before each test.
pytestmark = pytest.mark.django_db(transaction=True)


def seed(**options: Any) -> str:
    out = StringIO()
    call_command("seed_demo", stdout=out, stderr=StringIO(), **options)
    return out.getvalue()


def test_the_demo_world_is_one_that_its_people_can_sign_in_to_and_look_at() -> None:
    told = seed(users=3, resources=120, password="correct-horse-battery")

    assert told.startswith("5 demo users, 120 new resources in ")
    assert "admin@example.com among them, sign in with correct-horse-battery" in told
    login = {"email": "user1@example.com", "password": "correct-horse-battery"}
    token = Client().post("/api/v1/auth/login", login, "application/json").json()["data"]["access_token"]
    client = Client(headers={"Authorization": f"Bearer {token}"})
    listed = client.get("/api/v1/resources?q=invoice&per_page=5").json()
    assert listed["meta"]["total"] > 0
    row = listed["data"][0]
    version = client.get(f"/api/v1/resources/{row['id']}/versions/1").json()["data"]
    assert version["snapshot"]["name"] == row["name"]
    assert set(User.objects.values_list("role__name", flat=True)) == {"admin", "moderator", "user"}
    assert len({moment.date() for moment in User.objects.values_list("created_at", flat=True)}) == 5
    assert Resource.all_objects.dead().count() == 1
    assert Share.objects.live().count() == Share.objects.count() > 0


def test_typed_resources_are_as_their_types_say_and_talked_about() -> None:
    seed(users=4, resources=400, verbosity=0)

    counted = Counter(Resource.all_objects.values_list("type_id", flat=True))
    assert set(counted) == {"document", "invoice", "item", "project"}
    for kind in ResourceType.objects.exclude(key="item"):
        schema = compiled(kind.pk, kind.schema_version)
        rows = list(Resource.all_objects.filter(type_id=kind.key))
        assert [row.data for row in rows if not schema.accepts(row.data)] == []
        assert {row.schema_version for row in rows} == {kind.schema_version}
        assert {row.status for row in rows} == set(states_of(kind.workflow))
    projects = set(Resource.objects.filter(type_id="project").values_list("id", flat=True))
    named = [row.data.get("project") for row in Resource.objects.filter(type_id="invoice")]
    assert {UUID(one) for one in named if one} <= projects
    assert sum(1 for one in named if one) > len(named) / 2
    referring = Resource.objects.filter(type_id="invoice", data__has_key="project")
    assert set(ResourceReference.objects.filter(resource__deleted_at=None).values_list("resource_id", "target_id")) == {
        (row.id, UUID(row.data["project"])) for row in referring
    }
    invoices = Resource.objects.filter(type_id="invoice")
    assert {(one.resource_id, bytes(one.digest)) for one in UniqueValue.objects.all()} == {
        (row.id, digest_of(row.data["number"])) for row in invoices
    }
    assert set(Resource.all_objects.filter(type_id="item").values_list("status", flat=True)) == {"active"}
    assert Comment.objects.count() > 20
    assert not Comment.objects.filter(resource__visibility="private").exists()
    assert set(FileVersion.objects.values_list("name", flat=True)) == {"terms.txt", "timetable.csv"}
    assert call_command("revalidate", stdout=StringIO()) is None


def test_the_same_is_made_each_time() -> None:
    types = {"invoice": 1, "project": 1, "document": 1}
    lines = [
        [
            line.split("\t")[COLUMNS.split(", ").index("name")]
            for line in resource_lines(50, [UUID(int=1), UUID(int=2)], types=types, first_number=1, seed=7)
        ]
        for _ in range(2)
    ]

    assert lines[0] == lines[1]


def test_a_type_that_somebody_has_made_is_left_to_them() -> None:
    create_type("invoice", schema={"type": "object", "required": ["mine"]})

    seed(users=2, resources=100, verbosity=0)

    assert set(Resource.all_objects.values_list("type_id", flat=True)) == {"document", "item", "project"}
    assert ResourceType.objects.get(key="invoice").schema == {"type": "object", "required": ["mine"]}


def test_a_second_run_adds_only_what_is_missing_and_writes_no_events() -> None:
    seed(users=2, resources=30, verbosity=0)

    told = seed(users=3, resources=40)

    assert told.startswith("5 demo users, 10 new resources in ")
    assert seed(users=3, resources=40).startswith("5 demo users, 0 new resources in ")
    assert ResourceHistory.objects.count() == Resource.all_objects.count() == 40
    assert not Event.objects.filter(type="resource.created").exists()


def test_a_large_load_leaves_every_index_and_foreign_key_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resources.demo.loading.REBUILD_FROM", 50)
    before = structure()

    seed(users=2, resources=60, verbosity=0)

    assert structure() == before
    assert Resource.all_objects.count() == 60


def test_production_gets_no_demo_users(settings: Any) -> None:
    settings.DEMO_DATA_ALLOWED = False

    with pytest.raises(CommandError, match="for development only"):
        seed()

    assert User.objects.count() == 0


@pytest.mark.parametrize("amounts", [{"users": 0}, {"users": -1}, {"resources": -1}])
def test_amounts_that_nobody_can_mean_are_refused(amounts: dict[str, int]) -> None:
    with pytest.raises(CommandError, match="Give at least one user, and no negative number of resources"):
        seed(**amounts)

    assert (User.objects.count(), Resource.objects.count()) == (0, 0)


def structure() -> list[tuple[str, ...]]:
    """Return the definitions of the indexes and constraints of the tables that are loaded."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index "
            "WHERE indrelid IN ('resources'::regclass, 'resource_versions'::regclass) "
            "UNION ALL SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE conrelid IN ('resources'::regclass, 'resource_versions'::regclass) ORDER BY 1, 2"
        )
        return list(cursor.fetchall())
