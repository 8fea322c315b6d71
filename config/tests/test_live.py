"""`GET /api/v1/events/stream`: what happens, told at once, to whoever may read it and to nobody else."""

import http.client
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import transaction

from accounts.models import User
from accounts.services.api_tokens import revoke_api_token_of
from accounts.services.impersonation import end_impersonation
from accounts.tests.factories import access_token_of, create_api_token_of, create_session, start_stay
from config.tests.cast import ApiClient
from config.tests.live import PATH, LiveProcess, Stream
from core.embedded.program import status_of
from core.events import publish
from core.models import Event
from core.permissions import SYSTEM, Caller
from resources.models import Resource

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def live(django_db_setup: None, django_db_blocker: Any) -> Iterator[LiveProcess]:
    with django_db_blocker.unblock():
        process = LiveProcess()
    yield process
    process.stop()


@pytest.fixture
def following(live: LiveProcess, transactional_db: None) -> Iterator[Callable[..., Stream]]:
    """`following(user)`: an open stream of that user, in a new session."""
    streams: list[Stream] = []

    def follow(user: User, last_event_id: str = "") -> Stream:
        stream = Stream(live.port, access_token_of(create_session(user)), last_event_id)
        streams.append(stream)
        return stream

    yield follow
    for stream in streams:
        stream.close()


@transaction.atomic
def tell(type_: str, subject: Any, *, actor: User, data: dict[str, Any] | None = None, audience: Any = ()) -> Event:
    return publish(type_, subject=subject, actor=Caller.of(actor), data=data, audience=audience)


def a_resource(owner: User, visibility: str = "private") -> Resource:
    resource: Resource = Resource.objects.create(owner=owner, name="Plan", visibility=visibility)
    return resource


def test_an_event_reaches_its_reader_with_what_changed_and_no_values(
    following: Callable[..., Stream], owner: User
) -> None:
    resource = a_resource(owner)
    stream = following(owner)

    event = tell("resource.updated", resource, actor=owner, data={"before": {"name": "A"}, "after": {"name": "B"}})

    told = stream.next()
    assert told is not None
    assert told.type == "resource.updated"
    event.refresh_from_db()
    assert json.loads(told.data) == {
        "id": str(event.id),
        "type": "resource.updated",
        "subject": {"type": "resource", "id": str(resource.id)},
        "actor": str(owner.id),
        "changed": ["name"],
        "occurred_at": event.occurred_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }


def test_a_stranger_hears_nothing_of_a_private_resource(
    following: Callable[..., Stream], owner: User, stranger: User
) -> None:
    stream = following(stranger)

    tell("resource.created", a_resource(owner), actor=owner)

    assert stream.is_silent_for(2)


def test_permission_is_checked_when_the_event_is_told(
    following: Callable[..., Stream], owner: User, stranger: User
) -> None:
    resource = a_resource(owner, visibility="public")
    stream = following(stranger)
    tell("resource.updated", resource, actor=owner)
    assert stream.next() is not None

    Resource.objects.filter(id=resource.id).update(visibility="private")
    tell("resource.updated", resource, actor=owner)

    assert stream.is_silent_for(2)


def test_one_hears_of_the_own_account_only(following: Callable[..., Stream], owner: User, stranger: User) -> None:
    stream = following(owner)

    tell("user.updated", stranger, actor=stranger, audience=[stranger.id])
    tell("user.updated", owner, actor=stranger, audience=[owner.id])

    told = stream.next()
    assert told is not None
    assert json.loads(told.data)["subject"] == {"type": "user", "id": str(owner.id)}


def test_an_auditor_hears_all_with_the_values(following: Callable[..., Stream], admin: User, owner: User) -> None:
    stream = following(admin)

    tell("resource.created", a_resource(owner), actor=owner, data={"after": {"name": "Plan"}})

    told = stream.next()
    assert told is not None
    assert json.loads(told.data)["data"] == {"after": {"name": "Plan"}}


def test_last_event_id_resumes_without_a_gap_or_a_repetition(following: Callable[..., Stream], owner: User) -> None:
    resource = a_resource(owner)
    stream = following(owner)
    events = [tell("resource.updated", resource, actor=owner) for _ in range(3)]
    first = stream.next()
    assert first is not None
    stream.close()

    resumed = following(owner, last_event_id=first.id)

    told = [resumed.next() for _ in range(2)]
    assert [json.loads(one.data)["id"] for one in told if one] == [str(event.id) for event in events[1:]]


def test_a_session_that_ends_is_silent_within_a_second(live: LiveProcess, transactional_db: None, owner: User) -> None:
    session = create_session(owner)
    with Stream(live.port, access_token_of(session)) as stream:
        ApiClient(access_token_of(session)).post("/api/v1/auth/logout", {})
        time.sleep(1)
        tell("user.updated", owner, actor=owner, audience=[owner.id])

        # Of its own end the session may hear before it is silent.
        assert set(stream.rest()) <= {"session.revoked"}


def test_an_administrator_in_somebody_s_place_hears_nothing_after_the_end(
    live: LiveProcess, transactional_db: None, owner: User, admin: User
) -> None:
    stay = start_stay(admin, owner)
    with Stream(live.port, stay.access_token) as stream:
        end_impersonation(actor=SYSTEM, impersonation_id=stay.impersonation.pk)
        time.sleep(1)
        tell("user.updated", owner, actor=owner, audience=[owner.id])

        # Of the stay itself, and that somebody is told of it, the session may hear before it is silent.
        assert set(stream.rest()) <= {"session.revoked", "impersonation.ended", "notification.created"}


def test_without_a_token_it_is_refused_in_the_envelope(live: LiveProcess, transactional_db: None) -> None:
    with Stream(live.port, "nonsense") as stream:
        pass

    assert stream.status == 401
    assert json.loads(stream.body)["error"]["code"] == "INVALID_TOKEN"


def test_the_number_of_streams_is_bounded(following: Callable[..., Stream], owner: User) -> None:
    streams = [following(owner) for _ in range(3)]

    refused = following(owner)

    assert [stream.status for stream in streams] == [200, 200, 200]
    assert refused.status == 503
    assert json.loads(refused.body)["error"]["message"] == "Too many live connections; try again later."


def test_a_head_request_holds_no_stream(live: LiveProcess, transactional_db: None, owner: User) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=60)
    token = access_token_of(create_session(owner))

    connection.request("HEAD", PATH, headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    answer.read()
    connection.close()

    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/event-stream")


def test_the_live_process_has_no_other_api(live: LiveProcess, transactional_db: None) -> None:
    assert status_of(("127.0.0.1", live.port), "/api/v1/resources") == 404
    assert status_of(("127.0.0.1", live.port), "/admin/") == 404


def test_a_web_process_tells_what_there_is_and_closes(owner: User, client_of: Callable[[User], ApiClient]) -> None:
    client = client_of(owner)
    opening = client.get(PATH)
    event = tell("user.updated", owner, actor=owner, audience=[owner.id])

    position = opening.content.decode().split("id: ")[1].split("\n")[0]
    answer = client.get(PATH, headers={"Last-Event-ID": position})
    deadline = time.monotonic() + 300
    while "data: " not in answer.content.decode() and time.monotonic() < deadline:
        # Anybody's open transaction on this server, such as another test's, comes first.
        time.sleep(0.1)
        answer = client.get(PATH, headers={"Last-Event-ID": position})

    assert opening.status_code == answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert answer.content.decode().startswith("retry: 2000\n: here\n")
    assert [
        json.loads(line[6:])["id"] for line in answer.content.decode().splitlines() if line.startswith("data: ")
    ] == [str(event.id)]


def test_a_position_that_is_none_is_refused(owner: User, client_of: Callable[[User], ApiClient]) -> None:
    answer = client_of(owner).get(PATH, headers={"Last-Event-ID": "yesterday"})

    assert answer.status_code == 400
    assert answer.json()["error"]["details"] == [
        {
            "field": "Last-Event-ID",
            "code": "invalid",
            "message": "Send the id of the last event as it was received.",
        }
    ]


def test_a_personal_access_token_is_told_what_its_scopes_cover_until_it_is_revoked(
    live: LiveProcess, owner: User
) -> None:
    resource = a_resource(owner)
    row, secret = create_api_token_of(owner, "read:resource")
    _, other = create_api_token_of(owner, "write:resource")

    with Stream(live.port, secret) as reader, Stream(live.port, other) as writer:
        tell("user.updated", owner, actor=owner, audience=[owner.pk])
        tell("resource.updated", resource, actor=owner)
        told = reader.next()
        assert told is not None
        assert told.type == "resource.updated"
        assert writer.is_silent_for(1.0)
        revoke_api_token_of(actor=SYSTEM, token_id=row.pk)
        time.sleep(1.0)
        tell("resource.updated", resource, actor=owner)
        assert reader.rest() == []
