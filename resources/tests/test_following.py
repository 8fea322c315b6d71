"""A schema changed over many records: it holds at once, and a job brings the records after."""

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection, connections, transaction
from django.test import Client

from accounts.models import User
from accounts.tests.factories import create_user
from core.jobs import Done, Work
from core.models import Job
from core.models.jobs import QUEUED
from core.permissions import SYSTEM
from core.tests.spine import Drain
from resources.keywords.sealing import opened
from resources.models import Resource, ResourceReference, ResourceType, ResourceVersion, UniqueValue
from resources.services import following
from resources.services.following import AT_ONCE, KIND
from resources.services.types import change_type
from resources.tests.factories import create_resource, create_type

ClientOf = Callable[[User], Client]
PATH = "/api/v1/resources"
TYPE = "/api/v1/resource-types/patient"
PLAIN: dict[str, Any] = {"type": "object", "properties": {"iban": {"type": "string"}, "number": {"type": "integer"}}}


def schema(**keywords: Any) -> dict[str, Any]:
    """The schema with keywords for its two properties."""
    properties = {name: {**known, **keywords.get(name, {})} for name, known in PLAIN["properties"].items()}
    return {"type": "object", "properties": {**properties, "item": keywords.get("item", {"type": "string"})}}


@pytest.fixture
def client(client_of: ClientOf, admin: User) -> Client:
    return client_of(admin)


@pytest.fixture
def many(owner: User) -> list[Resource]:
    """More records than are rewritten with a change, each with a version; the last two have one number."""
    create_type("patient", schema=PLAIN)
    rows = [
        Resource(owner=owner, type_id="patient", name=f"P{place}", data={"iban": f"DE{place}", "number": place})
        for place in range(AT_ONCE + 1)
    ]
    rows[-1].data["number"] = rows[-2].data["number"]
    Resource.objects.bulk_create(rows)
    ResourceVersion.objects.bulk_create(
        ResourceVersion(
            resource=row, number=1, action="created", snapshot={"data": row.data, "name": row.name}, changed=[]
        )
        for row in rows
    )
    return rows


def in_clear() -> tuple[int, int]:
    """How many records and versions have a value that is not sealed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM resources WHERE data ->> 'iban' LIKE 'DE%'")
        rows = cursor.fetchone()[0]
        cursor.execute("SELECT count(*) FROM resource_versions WHERE snapshot #>> '{data,iban}' LIKE 'DE%'")
        return rows, cursor.fetchone()[0]


def job_of(client: Client) -> dict[str, Any]:
    (job,) = [job for job in client.get("/api/v1/jobs").json()["data"] if job["kind"] == KIND]
    return dict(job)


def test_many_are_sealed_by_a_job_and_hidden_from_the_first_moment(
    client: Client, client_of: ClientOf, owner: User, many: list[Resource], drain: Drain
) -> None:
    rules = schema(iban={"x-encrypted": True, "x-read": ["moderator"]})

    answer = client.patch(TYPE, {"schema": rules, "force": True})

    assert (answer.status_code, answer.json()["data"]["schema_version"]) == (200, 2)
    assert in_clear() == (AT_ONCE + 1, AT_ONCE + 1)
    assert job_of(client)["state"] == QUEUED
    own = client_of(owner)
    first = f"{PATH}/{many[0].id}"
    assert own.get(first).json()["data"]["data"] == {"number": 0}
    assert own.get(f"{first}/versions/1").json()["data"]["snapshot"]["data"] == {"number": 0}
    assert all("iban" not in row["data"] for row in own.get(f"{PATH}?type=patient").json()["data"])
    assert own.get(f"{PATH}?type=patient&data.iban=DE0").status_code == 400
    made = client.post(PATH, {"type": "patient", "name": "New", "data": {"iban": "DE-new", "number": -1}})
    changed = client.patch(first, {"data": {"number": -2}})
    assert (made.status_code, changed.status_code, changed.json()["data"]["data"]["iban"]) == (201, 200, "DE0")
    assert in_clear() == (AT_ONCE, AT_ONCE + 1)

    drain()

    assert in_clear() == (0, 0)
    job = job_of(client)
    assert (job["state"], job["failed"]) == ("succeeded", 0)
    assert job["done"] == job["total"] == 2 * (AT_ONCE + 1) + 2
    row = Resource.objects.get(id=many[5].id)
    assert (row.version, row.updated_at) == (1, row.created_at)
    assert client.get(f"{PATH}/{row.id}").json()["data"]["data"] == {"iban": "DE5", "number": 5}
    assert own.get(f"{PATH}/{row.id}").json()["data"]["data"] == {"number": 5}


def test_what_is_no_longer_encrypted_is_opened_by_one_too(client: Client, many: list[Resource], drain: Drain) -> None:
    client.patch(TYPE, {"schema": schema(iban={"x-encrypted": True})})
    drain()
    assert in_clear() == (0, 0)

    assert client.patch(TYPE, {"schema": PLAIN}).status_code == 200

    assert client.get(f"{PATH}/{many[7].id}").json()["data"]["data"] == {"iban": "DE7", "number": 7}
    drain()
    assert in_clear() == (AT_ONCE + 1, AT_ONCE + 1)


def test_a_forced_keyword_gets_its_rows_by_it(client: Client, owner: User, many: list[Resource], drain: Drain) -> None:
    item = create_resource(owner)
    Resource.objects.filter(id=many[3].id).update(data={"number": 3, "item": str(item.id)})
    wanted = schema(number={"x-unique": True}, item={"type": "string", "x-ref": "item"})

    refused = client.patch(TYPE, {"schema": wanted})
    assert (refused.status_code, refused.json()["error"]["details"][0]["message"]) == (409, "1")
    assert (UniqueValue.objects.count(), Job.objects.filter(kind=KIND).count()) == (0, 0)
    assert ResourceType.objects.get(key="patient").schema_version == 1

    assert client.patch(TYPE, {"schema": wanted, "force": True}).status_code == 200
    assert UniqueValue.objects.count() == 0
    drain()

    assert UniqueValue.objects.count() == AT_ONCE
    assert ResourceReference.objects.get().target_id == item.id
    assert (job_of(client)["state"], job_of(client)["failed"]) == ("succeeded", 1)
    taken = client.post(PATH, {"type": "patient", "name": "N", "data": {"number": 5}})
    assert (taken.status_code, taken.json()["error"]["details"][0]["field"]) == (409, "data.number")
    client.patch(TYPE, {"schema": PLAIN})
    drain()
    assert (UniqueValue.objects.count(), ResourceReference.objects.count()) == (0, 0)


def test_few_follow_at_once(client: Client, owner: User) -> None:
    create_type("patient", schema=PLAIN)
    create_resource(owner, type_id="patient", data={"iban": "DE1"})

    assert client.patch(TYPE, {"schema": schema(iban={"x-encrypted": True})}).status_code == 200

    assert in_clear() == (0, 0)
    assert not Job.objects.filter(kind=KIND).exists()


@pytest.fixture
def few(owner: User, monkeypatch: pytest.MonkeyPatch) -> list[Resource]:
    """Records without a written version, which a job follows all the same."""
    monkeypatch.setattr(following, "AT_ONCE", 1)
    create_type("patient", schema=PLAIN)
    return [create_resource(owner, type_id="patient", data={"iban": f"DE{place}"}) for place in range(4)]


def test_first_versions_are_sealed_whoever_makes_them_written_and_when(client: Client, few: list[Resource]) -> None:
    client.patch(TYPE, {"schema": schema(iban={"x-encrypted": True})})
    work = Work(uuid4(), None, dict(Job.objects.get(kind=KIND).parameters), {})

    written = [client.patch(f"{PATH}/{few[0].id}", {"name": "Before the job"}).status_code]
    assert in_clear() == (4, 2)
    _go_through(work, "records")
    written.append(client.patch(f"{PATH}/{few[1].id}", {"name": "After its records"}).status_code)
    assert in_clear() == (0, 2)
    _go_through(work, "versions")
    assert in_clear() == (0, 0)
    written.append(client.patch(f"{PATH}/{few[2].id}", {"name": "After its versions"}).status_code)

    assert written == [200, 200, 200]
    assert in_clear() == (0, 0)
    for place, row in enumerate(few):
        first = client.get(f"{PATH}/{row.id}/versions/1").json()["data"]["snapshot"]
        assert (first["name"], first["data"]) == ("A thing", {"iban": f"DE{place}"})


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("transactional_db")
def test_the_first_version_of_who_was_writing_in_that_moment_is_sealed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "AT_ONCE", 0)
    create_type("patient", schema=PLAIN)
    user = create_user()
    create_resource(user, type_id="patient", data={"iban": "DE0"})
    insert = "INSERT INTO resources (owner_id, name, type, data) VALUES (%s, 'one', 'patient', %s) RETURNING id"
    other = connections.create_connection("default")
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute(insert, [user.pk, '{"iban": "DE1"}'])
            (row_id,) = cursor.fetchone()
            change_type(actor=SYSTEM, key="patient", changes={"schema": schema(iban={"x-encrypted": True})})
            work = Work(uuid4(), None, dict(Job.objects.get(kind=KIND).parameters), {})
            ended = [_followed(work) for _ in range(6)]
            cursor.execute("UPDATE resources SET version = 2, name = 'two' WHERE id = %s", [row_id])
            cursor.execute("COMMIT")
    finally:
        other.close()
    assert (ended, in_clear()) == ([None] * 6, (1, 1))

    while _followed(work) is None:
        pass

    assert in_clear() == (0, 0)
    (first,) = ResourceVersion.objects.filter(resource_id=row_id)
    assert opened(first.snapshot["data"], row_id) == {"iban": "DE1"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("transactional_db")
def test_an_old_record_that_was_being_changed_in_that_moment_is_sealed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "AT_ONCE", 0)
    create_type("patient", schema=PLAIN)
    old = UUID(int=int(time.time() - 86_400) * 1000 << 80)
    resource = Resource(id=old, owner=create_user(), type_id="patient", name="one", data={"iban": "DE0"})
    Resource.objects.bulk_create([resource])
    other = connections.create_connection("default")
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT schema FROM resource_types WHERE key = 'patient'")
            change_type(actor=SYSTEM, key="patient", changes={"schema": schema(iban={"x-encrypted": True})})
            work = Work(uuid4(), None, dict(Job.objects.get(kind=KIND).parameters), {})
            ended = [_followed(work) for _ in range(6)]
            assert (ended, in_clear()) == ([None] * 6, (0, 0))
            cursor.execute("UPDATE resources SET data = %s WHERE id = %s", ['{"iban": "DE1"}', old])
            cursor.execute("COMMIT")
    finally:
        other.close()
    assert in_clear() == (1, 0)

    while _followed(work) is None:
        pass

    assert in_clear() == (0, 0)
    assert opened(Resource.objects.get().data, old) == {"iban": "DE1"}


def _go_through(work: Work, part: str) -> None:
    while work.checkpoint.get("part", "records") == part and not work.checkpoint.get("again"):
        following.follow_next(work)


def _followed(work: Work) -> Done | None:
    with transaction.atomic():
        return following.follow_next(work)
