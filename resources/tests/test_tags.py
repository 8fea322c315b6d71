"""GET /tags: the tags on what one may read, and on nothing else."""

import pytest
from django.test import Client
from hypothesis import given

from accounts.models import Role, User
from accounts.tests.answers import ClientOf
from accounts.tests.factories import create_user
from resources.access import Asker, Level
from resources.models import Resource, ResourceTag
from resources.tags import MOST_COUNTED, tags_visible_to
from resources.tests.factories import create_resource, create_type, share
from resources.tests.test_access import many_worlds, world_of
from resources.tests.worlds import WorldSketch, worlds

pytestmark = pytest.mark.django_db


def tags(client: Client, query: str = "") -> list[tuple[str, int]]:
    answer = client.get(f"/api/v1/tags{query}")
    assert answer.status_code == 200, answer.content
    return [(one["tag"], one["count"]) for one in answer.json()["data"]]


@given(sketch=worlds())
@many_worlds
def test_each_caller_sees_the_tags_of_what_they_may_read_with_how_many_have_them(sketch: WorldSketch) -> None:
    with world_of(sketch) as world:
        for place, row in enumerate(world.resources):
            Resource.objects.filter(pk=row.pk).update(tags=[f"row {place}", "all", "ALL"])
        for caller in world.callers():
            readable = [place for place, row in enumerate(world.resources) if world.level(caller, row) >= Level.VIEWER]

            found = tags_visible_to(Asker.of(caller), prefix="", limit=100)

            everyone = [("ALL", len(readable)), ("all", len(readable))] if readable else []
            assert [(one.tag, one.count) for one in found] == everyone + [(f"row {place}", 1) for place in readable]


def test_the_tags_that_begin_so_in_upper_or_lower_case(owner: User, client_of: ClientOf) -> None:
    create_resource(owner, tags=["Client-A", "client-b", "Änderung", "100%", "_x"])
    create_resource(owner, tags=["client-b"])
    client = client_of(owner)

    assert tags(client, "?q=CLIENT") == [("Client-A", 1), ("client-b", 2)]
    assert tags(client, "?q=änd") == [("Änderung", 1)]
    assert tags(client, "?q=%25") == []
    assert tags(client, "?q=_") == [("_x", 1)]
    assert tags(client, "?per_page=2") == [("100%", 1), ("_x", 1)]
    assert tags(client, "?q=nothing") == []


def test_tags_of_others_are_not_shown_whatever_is_asked(
    owner: User, stranger: User, anonymous: Client, client_of: ClientOf
) -> None:
    create_resource(owner, tags=["secret-merger"])
    create_resource(owner, tags=["house"], visibility="internal")
    create_resource(owner, tags=["street"], visibility="public")

    assert tags(client_of(stranger)) == [("house", 1), ("street", 1)]
    assert tags(anonymous) == [("street", 1)]
    assert tags(client_of(stranger), "?q=secret") == []


def test_what_a_write_does_to_a_resource_it_does_to_its_tags(owner: User, stranger: User, client_of: ClientOf) -> None:
    client, path = client_of(owner), "/api/v1/resources"
    made = client.post(path, {"name": "A", "tags": ["one", "two"]}).json()["data"]["id"]
    assert tags(client) == [("one", 1), ("two", 1)]

    client.patch(f"{path}/{made}", {"tags": ["two", "three"]})
    assert tags(client) == [("three", 1), ("two", 1)]

    client.delete(f"{path}/{made}")
    assert tags(client) == []
    client.post(f"{path}/{made}/restore")
    assert tags(client) == [("three", 1), ("two", 1)]

    client.patch(f"{path}/{made}", {"visibility": "internal"})
    assert tags(client_of(stranger)) == [("three", 1), ("two", 1)]
    client.patch(f"{path}/{made}", {"visibility": "private"})
    client.post(f"{path}/{made}/transfer", {"owner": str(stranger.pk)})
    assert (tags(client), tags(client_of(stranger))) == ([], [("three", 1), ("two", 1)])

    Resource.all_objects.all().delete()
    assert not ResourceTag.objects.exists()


def test_a_share_shows_the_tags_and_its_end_hides_them(owner: User, stranger: User, client_of: ClientOf) -> None:
    row = create_resource(owner, tags=["shared"])
    given = share(row, stranger, Level.VIEWER)
    assert tags(client_of(stranger)) == [("shared", 1)]

    given.delete()

    assert tags(client_of(stranger)) == []


def test_a_count_ends_somewhere(owner: User, client_of: ClientOf) -> None:
    rows = [Resource(owner=owner, name="A", tags=["many"]) for _ in range(MOST_COUNTED + 5)]
    Resource.objects.bulk_create(rows)

    assert tags(client_of(owner)) == [("many", MOST_COUNTED)]


@pytest.mark.parametrize("query", ["?q=", "?q=" + "x" * 51, "?per_page=0", "?per_page=101", "?page=2", "?q=a&q=b"])
def test_bad_questions_are_refused(owner: User, client_of: ClientOf, query: str) -> None:
    answer = client_of(owner).get(f"/api/v1/tags{query}")

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize("text", ["'; DROP TABLE users; --", "%s %(user)s", "\\", "\U0010ffff", "'", '"'])
def test_hostile_beginnings_find_nothing_and_break_nothing(owner: User, client_of: ClientOf, text: str) -> None:
    create_resource(owner, tags=["a"])

    answer = client_of(owner).get("/api/v1/tags", {"q": text})

    assert (answer.status_code, answer.json()["data"]) == (200, [])


def test_a_role_that_reads_a_type_sees_the_tags_of_that_type(owner: User, client_of: ClientOf) -> None:
    create_type("note")
    create_resource(owner, type_id="note", tags=["noted"])
    create_resource(owner, tags=["hidden"])
    Role.objects.create(name="reader", permissions=["read:resource.note"])

    assert tags(client_of(create_user("reader"))) == [("noted", 1)]
