"""GET /resources/{id}/events: what became of a resource, for whoever may read it, and no more than they may read."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.tests.answers import ClientOf
from core.audit import shown_payloads
from core.models import Event
from core.permissions import Caller
from resources import payloads
from resources.access import Level
from resources.models import Resource
from resources.schemas.keywords import Keywords, Rule
from resources.tests.factories import create_resource, share

pytestmark = pytest.mark.django_db

PATH = "/api/v1/resources"


def events(client: Client, row_id: Any) -> list[dict[str, Any]]:
    answer = client.get(f"{PATH}/{row_id}/events")
    assert answer.status_code == 200, answer.content
    return list(answer.json()["data"])


def test_readers_see_who_did_what_and_not_from_where(owner: User, stranger: User, client_of: ClientOf) -> None:
    client = client_of(owner)
    row = client.post(PATH, {"name": "March", "data": {"total": 99}}).json()["data"]["id"]
    client.patch(f"{PATH}/{row}", {"data": {"total": 120.5}})
    share(Resource.objects.get(pk=row), stranger, Level.VIEWER)

    updated, created = events(client_of(stranger), row)

    assert (updated["type"], created["type"]) == ("resource.updated", "resource.created")
    assert updated["payload"] == {"before": {"data.total": 99}, "after": {"data.total": 120.5}}
    assert updated["actor"] == {"id": str(owner.pk), "name": "Olive Owner"}
    assert updated.keys() == {"id", "type", "actor", "payload", "occurred_at"}


def test_who_may_not_read_the_resource_learns_nothing(
    owner: User, stranger: User, anonymous: Client, client_of: ClientOf
) -> None:
    row = create_resource(owner)
    for client in (client_of(stranger), anonymous):
        assert client.get(f"{PATH}/{row.pk}/events").status_code == 404
        assert client.get(f"{PATH}/019a9c1e-5f00-7c4e-9d1b-2f6f3f0c8a99/events").status_code == 404
    assert client_of(stranger).get(f"{PATH}/{stranger.pk}/events").status_code == 404
    assert client_of(stranger).get(f"{PATH}/{owner.pk}/events").status_code == 404


def test_what_lies_in_the_bin_is_seen_by_who_may_bring_it_back(
    owner: User, stranger: User, client_of: ClientOf
) -> None:
    row = create_resource(owner)
    share(row, stranger, Level.VIEWER)
    client_of(owner).delete(f"{PATH}/{row.pk}")

    assert [event["type"] for event in events(client_of(owner), row.pk)] == ["resource.deleted"]
    assert client_of(stranger).get(f"{PATH}/{row.pk}/events").status_code == 404


def test_the_list_goes_on_by_cursors(owner: User, client_of: ClientOf) -> None:
    row = create_resource(owner)
    client = client_of(owner)
    for number in range(5):
        client.patch(f"{PATH}/{row.pk}", {"name": f"Name {number}"})
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = client.get(f"{PATH}/{row.pk}/events?per_page=2&cursor={cursor}").json()
        found += [event["payload"]["after"]["name"] for event in page["data"]]
        cursor = page["meta"]["next_cursor"]

    assert found == [f"Name {number}" for number in (4, 3, 2, 1, 0)]


@pytest.mark.parametrize(
    ("side", "kept"),
    [
        ({"data.salary": 1, "data.name": "A"}, {"data.name": "A"}),
        ({"data.salary.net": 1, "name": "A"}, {"name": "A"}),
        ({"data": {"salary": 1, "name": "A"}}, {"data": {"name": "A"}}),
        ({"data": {"person": {"iban": 1, "name": "A"}}}, {"data": {"person": {"name": "A"}}}),
        ({"data.person": {"iban": 1, "name": "A"}}, {"data.person": {"name": "A"}}),
        ({"data.person.iban": 1, "data.person.name": "A"}, {"data.person.name": "A"}),
        ({"data.a.b": 1, "data.a.c": 2}, {"data.a.c": 2}),
        ({"data": {"a.b": 1, "a": {"b": 3}}}, {"data": {"a": {"b": 3}}}),
        ({"data.salaries": 1, "data": []}, {"data.salaries": 1, "data": []}),
        ({"data": None}, {"data": None}),
    ],
)
def test_hidden_paths_are_left_out_however_they_are_spelled(side: dict[str, Any], kept: dict[str, Any]) -> None:
    paths = [("salary",), ("person", "iban"), ("a.b",)]

    shown = payloads.without({"before": side, "after": side, "name": "send"}, paths)

    assert shown == {"before": kept, "after": kept, "name": "send"}


def test_field_rules_and_ciphertext_are_kept_from_readers_and_from_auditors(
    owner: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = Keywords(read=(Rule(("salary",), frozenset({"moderator"})),), encrypted=(("iban",),))
    monkeypatch.setattr(payloads, "_keywords_of", lambda keys: dict.fromkeys(keys, rules))
    row = client_of(owner).post(PATH, {"name": "A", "data": {"salary": 1, "iban": "x", "open": 2}}).json()["data"]["id"]
    found = list(Event.objects.filter(subject_id=row))

    def data_for(role: str, *permissions: str) -> Any:
        caller = Caller(owner.pk, role=role, permissions=frozenset(permissions))
        return shown_payloads(caller, found)[found[0].id]["after"]["data"]

    assert events(client_of(owner), row)[0]["payload"]["after"]["data"] == {"open": 2}
    assert data_for("auditor", "read:audit") == {"open": 2}
    assert data_for("moderator") == {"salary": 1, "open": 2}
    assert data_for("admin", "admin") == {"salary": 1, "open": 2}


def test_a_destroyed_resource_is_judged_by_the_type_it_had(
    owner: User, admin: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = Keywords(encrypted=(("iban",),))
    asked: list[set[str]] = []

    def keywords_of(keys: set[str]) -> dict[str, Keywords]:
        asked.append(keys)
        return dict.fromkeys(keys, rules)

    monkeypatch.setattr(payloads, "_keywords_of", keywords_of)
    row = create_resource(owner, data={"iban": "x", "open": 1})
    assert client_of(admin).delete(f"{PATH}/{row.pk}?permanent=true").status_code == 204

    (shown,) = client_of(admin).get(f"/api/v1/audit?subject={row.pk}").json()["data"]

    assert (shown["type"], shown["payload"]["before"]["data"], asked) == ("resource.destroyed", {"open": 1}, [{"item"}])
