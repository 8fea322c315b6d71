"""Eight people at one resource at the same moment, round after round: nothing lost, nothing doubled, no 500.

`RACE_ROUNDS` says how many rounds. Each is judged by what the clients were answered and by what the database says. A
writer that waited for the row past `lock_timeout` is sent away with 503 and may come again: that is counted, and what
it wanted to write must not be there.
"""

import os
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import pytest
from django.db.models import Count
from django.test import Client

from accounts.models import User
from accounts.tests.factories import create_api_token_of, create_user
from accounts.tests.test_races import at_once
from core.models import Event
from core.permissions import Caller
from resources.models import Resource, ResourceVersion
from resources.services import Content, create_resource
from resources.tests.factories import create_type
from tests.drills.reckoning import report

pytestmark = [pytest.mark.drill, pytest.mark.django_db(transaction=True), pytest.mark.timeout(3600)]

RACERS: Final = 8
ROUNDS: Final = int(os.environ.get("RACE_ROUNDS", "200"))
PATH: Final = "/api/v1/resources"
AWAY: Final = 503


@pytest.fixture(autouse=True)
def _room(settings: Any) -> None:
    settings.RATE_LIMIT_SCALE = 1_000_000


@pytest.fixture
def user(db: None) -> User:
    return create_user()


@pytest.fixture
def clients(user: User) -> list[Client]:
    # Not those of sessions: a thousand rounds take longer than one of them serves.
    tokens = [create_api_token_of(user, "write:resource", "delete:resource")[1] for _ in range(RACERS)]
    return [Client(headers={"Authorization": f"Bearer {token}"}, raise_request_exception=False) for token in tokens]


def rounds(what: str, race: Callable[[int], list[int]]) -> None:
    """Run every round, and report how many answers had which status."""
    statuses: Counter[int] = Counter()
    for each in range(ROUNDS):
        statuses.update(race(each))
    found = {str(status): number for status, number in sorted(statuses.items())}
    report(f"{RACERS} at once: {what}", {"rounds": ROUNDS, "answers": found, "gaps": gaps()})
    assert gaps() == 0


def gaps() -> int:
    """Return how many resources have a version too few or too many, or an event that is not a version's."""
    rows = Resource.all_objects.annotate(written=Count("versions")).values_list("id", "version", "written")
    told = Counter(Event.objects.filter(subject_type="resource").values_list("subject_id", flat=True))
    return sum(not version == written == told[str(row)] for row, version, written in rows)


def test_patches_of_different_fields_lose_none(user: User, clients: list[Client]) -> None:
    def race(each: int) -> list[int]:
        row = create_resource(actor=Caller.of(user), content=Content(name="Shared", data={"kept": each}))

        def patch(number: int) -> int:
            body = {"data": {f"field{number}": number}}
            return int(clients[number].patch(f"{PATH}/{row.pk}", body, "application/json").status_code)

        statuses = at_once(RACERS, patch)
        assert set(statuses) <= {200, AWAY}, statuses
        row.refresh_from_db()
        acknowledged = {f"field{number}": number for number, status in enumerate(statuses) if status == 200}
        assert row.data == {"kept": each, **acknowledged}
        assert row.version == 1 + len(acknowledged)
        return statuses

    rounds("PATCH of different fields", race)


def test_upserts_of_one_id_make_one_resource(user: User, clients: list[Client]) -> None:
    def race(each: int) -> list[int]:
        def put(number: int) -> int:
            path = f"{PATH}/by-external/item/{each}"
            return int(clients[number].put(path, {"name": f"Name {number}"}, "application/json").status_code)

        statuses = at_once(RACERS, put)
        assert set(statuses) <= {200, 201, AWAY}, statuses
        assert statuses.count(201) == 1
        row = Resource.objects.get(external_id=str(each))
        assert row.version == statuses.count(200) + 1
        return statuses

    rounds("upserts of one external id", race)


def test_of_transitions_one_wins(user: User, clients: list[Client]) -> None:
    ways = [{"name": name, "from": ["draft"], "to": name, "allow": ["owner"]} for name in ("sent", "void")]
    create_type("letter", workflow={"initial": "draft", "states": ["draft", "sent", "void"], "transitions": ways})

    def race(each: int) -> list[int]:
        row = create_resource(actor=Caller.of(user), content=Content(name=f"Letter {each}"), type_key="letter")

        def go(number: int) -> int:
            path = f"{PATH}/{row.pk}/transitions/{'sent' if number % 2 else 'void'}"
            return int(clients[number].post(path, {}, "application/json").status_code)

        statuses = at_once(RACERS, go)
        assert set(statuses) <= {200, 409, AWAY}, statuses
        assert statuses.count(200) == 1
        row.refresh_from_db()
        assert row.status == ("sent" if statuses.index(200) % 2 else "void")
        assert ResourceVersion.objects.filter(resource=row, action="transitioned").count() == 1
        return statuses

    rounds("transitions", race)


def test_of_restores_one_wins(user: User, clients: list[Client]) -> None:
    def race(each: int) -> list[int]:
        row = create_resource(actor=Caller.of(user), content=Content(name=f"Back {each}"))
        assert clients[0].delete(f"{PATH}/{row.pk}").status_code == 204

        def restore(number: int) -> int:
            return int(clients[number].post(f"{PATH}/{row.pk}/restore", {}, "application/json").status_code)

        statuses = at_once(RACERS, restore)
        assert set(statuses) <= {200, 404, AWAY}, statuses
        assert statuses.count(200) == 1
        row.refresh_from_db()
        assert (row.deleted_at, row.version) == (None, 3)
        return statuses

    rounds("restores", race)
