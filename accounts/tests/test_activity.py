"""GET /users/me/activity: one's own acts, what was done in one's place, and what happened to one's account."""

from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from accounts.models import User
from accounts.tests.answers import ClientOf
from accounts.tests.factories import create_session, create_user
from core import context, events
from core.context import WorkContext
from core.permissions import ANONYMOUS, SYSTEM, Caller

PATH = "/api/v1/users/me/activity"

pytestmark = pytest.mark.django_db


def happen(type_: str, actor: Caller, subject: Any = None, **data: Any) -> None:
    with context.working(WorkContext(request_id="r", ip="203.0.113.7", user_agent="Agent")), transaction.atomic():
        events.publish(type_, subject=subject, actor=actor, data=data)


def activity(client: Client, query: str = "") -> list[dict[str, Any]]:
    answer = client.get(f"{PATH}?{query}")
    assert answer.status_code == 200, answer.content
    return [row for row in answer.json()["data"] if row["type"].startswith("told.")]


def test_one_s_own_acts_and_what_happened_to_oneself_are_one_list(
    owner: User, stranger: User, admin: User, client_of: ClientOf
) -> None:
    me = Caller.of(owner)
    happen("told.mine", me, owner, before={"name": "A"}, after={"name": "B"})
    happen("told.by_admin", Caller.of(admin), owner, after={"role": "moderator", "is_active": True})
    happen("told.in_my_place", Caller(owner.pk, impersonated_by=admin.pk), stranger)
    happen("told.by_nobody", ANONYMOUS, owner)
    happen("told.by_the_system", SYSTEM, owner)
    happen("told.not_mine", Caller.of(stranger), stranger)
    happen("told.session", Caller.of(stranger), create_session(owner))

    rows = activity(client_of(owner))

    assert [row["type"] for row in rows] == [
        "told.by_the_system", "told.by_nobody", "told.in_my_place", "told.by_admin", "told.mine",
    ]  # fmt: skip
    assert {**rows[3], "id": "", "occurred_at": ""} == {
        "id": "",
        "type": "told.by_admin",
        "actor": {"id": str(admin.pk), "name": "Ada Admin"},
        "subject": {"type": "user", "id": str(owner.pk)},
        "changed": ["is_active", "role"],
        "ip": None,
        "user_agent": "",
        "occurred_at": "",
    }
    origins = {row["type"]: row["ip"] for row in rows}
    assert origins == {
        "told.mine": "203.0.113.7",
        "told.by_admin": None,
        "told.in_my_place": None,
        "told.by_nobody": "203.0.113.7",
        "told.by_the_system": "203.0.113.7",
    }


def test_pages_and_cursors_show_each_thing_once(owner: User, client_of: ClientOf) -> None:
    for number in range(5):
        happen(f"told.{'abcde'[number]}", Caller.of(owner), owner)
    client = client_of(owner)

    walked: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = client.get(f"{PATH}?per_page=2&cursor={cursor}").json()
        walked += [row["type"] for row in page["data"] if row["type"].startswith("told.")]
        cursor = page["meta"]["next_cursor"]
    paged = [row["type"] for number in (1, 2, 3) for row in activity(client, f"per_page=2&page={number}")]

    assert walked == paged == [f"told.{letter}" for letter in "edcba"]
    assert client.get(f"{PATH}?per_page=2").json()["meta"]["total"] == len(
        client.get(f"{PATH}?per_page=100").json()["data"]
    )


def test_values_are_never_told(owner: User, client_of: ClientOf) -> None:
    happen("told.values", Caller.of(owner), owner, before={"phone": "+49 30 1"}, after={"phone": "+49 30 2"})

    (row,) = activity(client_of(owner))

    assert row["changed"] == ["phone"]
    assert "+49" not in str(row)


def test_it_is_for_people_who_are_signed_in(anonymous: Client, client_of: ClientOf) -> None:
    assert anonymous.get(PATH).status_code == 401
    assert client_of(create_user()).get(f"{PATH}?user=x").status_code == 400
