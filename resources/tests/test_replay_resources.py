"""The event log tells the whole of a resource, and `manage.py replay_resources` finds what was written past it."""

import copy
from collections.abc import Callable
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from resources.changes import difference
from resources.models import Resource
from resources.services.rebuilding import _flat, rebuilt
from resources.tests.factories import create_type

PATH = "/api/v1/resources"
SCHEMA = {
    "type": "object",
    "properties": {
        "secret": {"type": "string", "x-encrypted": True},
        "inner": {"type": "object", "properties": {"salary": {"type": "number", "x-read": ["moderator", "owner"]}}},
    },
}
WORKFLOW = {
    "initial": "draft",
    "states": ["draft", "sent"],
    "transitions": [{"name": "send", "from": ["draft"], "to": "sent", "allow": ["owner"]}],
}


def run(*ids: object, **options: Any) -> tuple[str, str]:
    output = StringIO()
    try:
        call_command("replay_resources", *map(str, ids), stdout=output, stderr=StringIO(), **options)
    except CommandError as end:
        return output.getvalue(), str(end)
    return output.getvalue(), ""


@pytest.fixture
def lived(owner: User, stranger: User, client_of: Callable[[User], Client], db: None) -> str:
    """The id of a resource with a life behind it."""
    client = client_of(owner)
    create_type("letter", schema=SCHEMA, workflow=WORKFLOW)
    data = {"secret": "s3", "inner": {"salary": 5, "a.b": 1, "gone": {"x": []}}, "list": [1]}
    made = client.post(PATH, {"type": "letter", "name": "One", "data": data, "tags": ["red"]}).json()["data"]["id"]
    one = f"{PATH}/{made}"
    patches: list[dict[str, Any]] = [
        {"data": {"inner": {"salary": 6, "gone": None}, "new": {}}},
        {"name": "Two", "tags": []},
        {"data": {"secret": "other", "new": {"deep": {"er": 1}}, "list": {"now": "a map"}}},
    ]
    for changes in patches:
        assert client.patch(one, changes).status_code == 200
    for path, body in (
        ("/transitions/send", {}),
        ("/revert", {"version": 2}),
        ("/shares", {"user": str(stranger.id), "access": "viewer"}),
        ("/comments", {"body": "Well."}),
    ):
        assert client.post(f"{one}{path}", body).status_code in {200, 201}, path
    assert client.delete(one).status_code == 204
    assert client.post(f"{one}/restore").status_code == 200
    assert client.post(f"{one}/transfer", {"owner": str(stranger.id)}).status_code == 200
    return str(made)


def test_a_resource_is_what_the_log_tells_after_every_kind_of_write(lived: str) -> None:
    assert run() == ("1 resource(s) as the log tells, 0 otherwise, 0 not in the log from the first.\n", "")


def test_what_was_written_past_the_services_is_found_and_left(lived: str) -> None:
    Resource.objects.filter(id=lived).update(name="Other", data={"inner": {"salary": 7}})

    output, failure = run(lived)

    assert output == f"{lived}: data.inner.a.b, data.inner.salary, data.list, data.new, data.secret, name\n"
    assert failure == "0 resource(s) as the log tells, 1 otherwise, 0 not in the log from the first."
    assert run(lived) == (output, failure)


def test_a_resource_whose_beginning_is_no_longer_in_the_log_is_counted_apart(lived: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("DELETE FROM events WHERE type = 'resource.created'")
        cursor.execute("SET LOCAL session_replication_role = origin")

    assert run() == ("0 resource(s) as the log tells, 0 otherwise, 1 not in the log from the first.\n", "")


def test_only_what_is_asked_for_is_compared(lived: str) -> None:
    assert run(type="item")[0] == "0 resource(s) as the log tells, 0 otherwise, 0 not in the log from the first.\n"
    assert "1 resource(s) as" in run(lived, type="letter")[0]


def test_an_unknown_id_is_refused(db: None) -> None:
    unknown = uuid4()

    assert run(unknown) == ("", f"There is no resource {unknown}.")


NAMES = st.sampled_from(["a", "b", "c.d", "e"])
STATES: st.SearchStrategy[Any] = st.recursive(
    st.integers() | st.just([]), lambda below: st.dictionaries(NAMES, below, max_size=3), max_leaves=6
)
ROWS = st.lists(st.dictionaries(st.sampled_from(["data", "name"]), STATES, max_size=2), min_size=1, max_size=5)


@given(ROWS)
def test_differences_lead_to_the_last_state_whatever_the_states(states: list[dict[str, Any]]) -> None:
    payloads = []
    for before, after in zip([{}, *states], states, strict=False):
        old, new = difference(before, after)
        payloads.append(copy.deepcopy({"before": old, "after": new}))

    assert _flat(rebuilt(payloads)) == _flat(states[-1])
