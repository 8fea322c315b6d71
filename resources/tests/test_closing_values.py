"""A value that a schema closes (`x-read`, `x-encrypted`) is found by nobody from that moment on."""

from collections.abc import Callable
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connections, transaction
from django.test import Client

from accounts.models import User
from accounts.tests.factories import create_user
from core.doctor import Finding, examine
from core.jobs import Work
from core.models import Job
from core.permissions import SYSTEM
from core.tests.spine import Drain
from resources.models import VALUES, Resource, ResourceType, SchemaFollowing
from resources.services import following, search_index, types
from resources.tasks import follow_schemas
from resources.tests.factories import create_resource, create_type
from resources.tests.test_following import in_clear

ClientOf = Callable[[User], Client]
PATH = "/api/v1/resources"
TYPE = "/api/v1/resource-types/letter"


def schema(**keywords: Any) -> dict[str, Any]:
    """A schema whose `salary` has these keywords."""
    texts = {"salary": {"type": "string", **keywords}, "plain": {"type": "string"}}
    return {"type": "object", "properties": texts}


HIDDEN = schema(**{"x-read": ["admin"]})
SEALED = schema(**{"x-encrypted": True})


@pytest.fixture
def client(owner: User, client_of: ClientOf) -> Client:
    return client_of(owner)


@pytest.fixture
def letters(owner: User) -> list[Resource]:
    """Two letters whose salaries are words of their own, and an item beside them."""
    create_type("letter", schema=schema())
    create_resource(owner, name="aside", data={"salary": "heron"})
    return [
        create_resource(owner, name=name, type_id="letter", data={"salary": salary, "plain": "ibis"})
        for name, salary in (("one", "heron"), ("two", "stork"))
    ]


def close(rules: dict[str, Any]) -> None:
    types.change_type(actor=SYSTEM, key="letter", changes={"schema": rules})


def found(client: Client, query: str, **parameters: str) -> list[str]:
    response = client.get(PATH, {"q": query, **parameters})
    assert response.status_code == 200, response.content
    return [row["name"] for row in response.json()["data"]]


@pytest.mark.parametrize("rules", [HIDDEN, SEALED])
@pytest.mark.usefixtures("letters")
def test_it_is_found_no_more_before_any_row_has_followed(
    client: Client, client_of: ClientOf, admin: User, rules: dict[str, Any]
) -> None:
    assert found(client, "heron", sort="name") == ["aside", "one"]

    close(rules)

    assert found(client, "heron") == found(client_of(admin), "heron") == ["aside"]
    assert found(client, "heron", cursor="") == ["aside"]
    assert found(client, "heron", type="letter", cursor="", sort="-created_at") == []
    assert client.get(f"{PATH}/aggregate?q=heron").json()["data"][0]["count"] == 1
    # What stays open is found as before.
    assert (found(client, "ibis", sort="name"), found(client, "two")) == (["one", "two"], ["two"])
    # That one of them is missing would tell as much.
    assert found(client, "ibis -heron") == found(client, "ibis -stork") == []
    assert found(client, "aside -stork") == ["aside"]


@pytest.mark.usefixtures("letters")
def test_the_order_does_not_tell_of_it_either(client: Client) -> None:
    before = found(client, "ibis or heron", type="letter")

    close(HIDDEN)

    assert before[0] == "one"
    assert found(client, "ibis or heron", type="letter") == ["two", "one"]
    pages = client.get(PATH, {"q": "ibis or heron", "type": "letter", "cursor": "", "per_page": "1"}).json()
    assert pages["data"][0]["name"] == "two"


@pytest.mark.usefixtures("letters")
def test_nor_the_page_of_staff(browser_of: ClientOf, admin: User) -> None:
    staff = browser_of(admin)
    assert b">one<" in staff.get("/admin/resources/resource/?q=heron").content

    close(HIDDEN)

    page = staff.get("/admin/resources/resource/?q=heron").content
    assert (b">aside<" in page, b">one<" in page) == (True, False)


@pytest.mark.usefixtures("letters")
def test_whoever_asks_otherwise_is_refused_at_once(client: Client, client_of: ClientOf, owner: User) -> None:
    rules = {"type": "string", "x-index": True}
    create_type("paid", schema={"type": "object", "properties": {"salary": rules}})
    create_resource(owner, type_id="paid", data={"salary": "heron"}, visibility="internal")
    client = client_of(create_user())
    asked = (
        "data.salary=heron",
        "data.salary__contains=her",
        "sort=data.salary",
        "cursor=&sort=-data.salary",
        "data.salary__isnull=true",
    )
    view = client.post("/api/v1/saved-views", {"name": "v", "filters": {"type": "paid", "data.salary": "heron"}})
    assert view.status_code == 201, view.content
    saved = f"view={view.json()['data']['id']}"
    figures = ("group=data.salary", "measures=min:data.salary", "data.salary=heron")
    assert {client.get(f"{PATH}?type=paid&{one}").status_code for one in asked} == {200}
    assert client.get(f"{PATH}?{saved}").status_code == 200
    cursor = client.get(f"{PATH}?type=paid&cursor=&sort=data.salary&per_page=1").status_code

    types.change_type(
        actor=SYSTEM,
        key="paid",
        changes={"schema": {"type": "object", "properties": {"salary": {**rules, "x-read": ["admin"]}}}},
    )

    assert cursor == 200
    assert {client.get(f"{PATH}?type=paid&{one}").status_code for one in (*asked, saved)} == {400}
    assert {client.get(f"{PATH}/aggregate?type=paid&{one}").status_code for one in figures} == {400}
    export = {"type": "paid", "filters": {"data.salary": "heron"}, "format": "json"}
    assert client.post("/api/v1/exports", export, content_type="application/json").status_code == 400
    assert not Job.objects.filter(kind="resources.export").exists()


@pytest.mark.usefixtures("letters")
def test_all_is_as_ever_when_they_have_followed(client: Client, drain: Drain) -> None:
    close(HIDDEN)
    assert SchemaFollowing.objects.get().is_closing

    drain()

    assert not SchemaFollowing.objects.exists()
    assert found(client, "heron") == ["aside"]
    assert found(client, "ibis", sort="name") == ["one", "two"]
    close(schema())
    assert not SchemaFollowing.objects.get().is_closing
    drain()
    assert found(client, "heron", sort="name") == ["aside", "one"]


@pytest.mark.usefixtures("letters")
def test_a_job_of_an_earlier_change_does_not_end_a_later_one() -> None:
    close(HIDDEN)
    work = _work()
    search_index.reindex_next(work)
    close(schema(**{"x-read": ["moderator"]}))
    close(schema())
    close(HIDDEN)

    assert search_index.reindex_next(work) is not None

    assert SchemaFollowing.objects.get().schema_version == 5


@pytest.mark.usefixtures("letters")
def test_a_cancelled_job_opens_nothing_and_another_is_promised(
    client: Client, client_of: ClientOf, browser_of: ClientOf, admin: User, drain: Drain
) -> None:
    close(HIDDEN)
    job = Job.objects.get(kind=search_index.KIND)
    assert follow_schemas() == "0 job(s) promised."
    assert client_of(admin).post(f"/api/v1/jobs/{job.pk}/cancel").status_code == 200

    drain()

    assert found(client, "heron") == ["aside"]
    assert _looked_after().level == "yellow"
    assert "letter (search since schema 2)" in _looked_after().found
    assert "  yet to follow: search since schema 2, no job is at it" in _listed()
    staff = browser_of(admin)
    kind = ResourceType.objects.get(key="letter")
    assert (
        b"search since schema 2, no job is at it"
        in staff.get(f"/admin/resources/resourcetype/{kind.pk}/change/").content
    )
    assert follow_schemas() == "1 job(s) promised."
    assert follow_schemas() == "0 job(s) promised."
    assert _looked_after().level == "green"
    drain()
    assert not SchemaFollowing.objects.exists()
    assert "yet to follow" not in _listed()


@pytest.mark.usefixtures("letters")
def test_the_command_ends_it_too(client: Client) -> None:
    close(HIDDEN)

    call_command("reindex_search", "--dry-run", stdout=StringIO())
    assert SchemaFollowing.objects.exists()
    call_command("reindex_search", "--type", "letter", stdout=StringIO())

    assert not SchemaFollowing.objects.exists()
    assert found(client, "heron") == ["aside"]


def test_what_is_to_be_sealed_is_although_the_job_was_cancelled(
    client_of: ClientOf, admin: User, owner: User, drain: Drain
) -> None:
    create_type("patient", schema={"type": "object", "properties": {"iban": {"type": "string"}}})
    rows = [Resource(owner=owner, type_id="patient", name="P", data={"iban": f"DE{n}"}) for n in range(2001)]
    Resource.objects.bulk_create(rows)
    client = client_of(admin)
    sealed = {"type": "object", "properties": {"iban": {"type": "string", "x-encrypted": True}}}
    client.patch("/api/v1/resource-types/patient", {"schema": sealed})
    job = Job.objects.get(kind=following.KIND)
    assert client.post(f"/api/v1/jobs/{job.pk}/cancel").status_code == 200
    drain()
    assert in_clear() == (2001, 0)
    assert {row.work for row in SchemaFollowing.objects.all()} == {VALUES}

    assert follow_schemas() == "1 job(s) promised."
    drain()

    assert in_clear() == (0, 0)
    assert not SchemaFollowing.objects.exists()
    assert client.get(f"{PATH}/{rows[0].id}").json()["data"]["data"] == {"iban": "DE0"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("transactional_db")
def test_who_was_writing_in_that_moment_is_waited_for() -> None:
    create_type("letter", schema=schema())
    user = create_user()
    other = connections.create_connection("default")
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute(
                "INSERT INTO resources (owner_id, name, type, data) VALUES (%s, 'one', 'letter', %s)",
                [user.pk, '{"salary": "heron"}'],
            )
            close(HIDDEN)
            work = _work()
            assert search_index.reindex_next(work) is None
            assert search_index.reindex_next(work) is None
            assert (work.done, SchemaFollowing.objects.count()) == (0, 1)
            cursor.execute("COMMIT")
    finally:
        other.close()

    for _ in range(3):
        with transaction.atomic():
            ended = search_index.reindex_next(work)

    assert ended is not None
    assert not SchemaFollowing.objects.exists()
    (vector,) = Resource.all_objects.values_list("search", flat=True)
    assert "heron" not in str(vector)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("transactional_db")
def test_so_is_who_has_looked_at_the_type_and_writes_by_what_it_was() -> None:
    create_type("letter", schema=schema())
    user = create_user()
    other = connections.create_connection("default")
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT schema FROM resource_types WHERE key = 'letter'")
            cursor.fetchall()
            close(HIDDEN)
            work = _work()
            assert search_index.reindex_next(work) is None
            # As an import tells the trigger which words to find.
            cursor.execute("SET LOCAL nook.search_plan = 'none'")
            cursor.execute(
                "INSERT INTO resources (owner_id, name, type, data) VALUES (%s, 'one', 'letter', %s)",
                [user.pk, '{"salary": "heron"}'],
            )
            assert search_index.reindex_next(work) is None
            assert SchemaFollowing.objects.count() == 1
            cursor.execute("COMMIT")
    finally:
        other.close()

    for _ in range(3):
        with transaction.atomic():
            ended = search_index.reindex_next(work)

    assert ended is not None
    (vector,) = Resource.all_objects.values_list("search", flat=True)
    assert "heron" not in str(vector)


def _work() -> Work:
    return Work(uuid4(), None, {"type": "letter"}, {})


def _looked_after() -> Finding:
    return next(finding for finding in examine() if finding.subject == "schemas followed")


def _listed() -> str:
    out = StringIO()
    call_command("resource_types", stdout=out)
    return out.getvalue()
