"""`/webhooks`: made, shown, changed, removed; each refusal leaves everything as it was."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from pytest_django import Settings

from core.errors import ActingOnBehalf
from core.models import Event
from core.permissions import Caller
from notifications.models import WebhookDelivery, WebhookEndpoint
from notifications.services import webhooks

ClientOf = Callable[[Any], Client]
Events = Callable[..., list[Event]]
PATH = "/api/v1/webhooks"
BODY = {"url": "https://hooks.example.com/nook?key=abc", "events": ["resource.*", "file.created"]}


def error_of(answer: Any) -> tuple[int, str, list[tuple[str | None, str]]]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], [(one["field"], one["code"]) for one in error["details"]]


def rows() -> list[Any]:
    return list(WebhookEndpoint.objects.order_by("pk").values())


def test_the_secret_is_shown_once(owner: Any, client_of: ClientOf, events: Events) -> None:
    client = client_of(owner)

    answer = client.post(PATH, BODY)

    data = answer.json()["data"]
    secret = data.pop("secret")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
    assert answer.headers["Location"] == f"{PATH}/{data['id']}"
    assert secret.startswith("whsec_")
    assert data == {
        "id": data["id"],
        "url": BODY["url"],
        "events": ["file.created", "resource.*"],
        "active": True,
        "failing_since": None,
        "disabled_at": None,
        "disabled_reason": "",
        "last_success_at": None,
        "old_secret_until": None,
        "created_at": data["created_at"],
        "updated_at": data["updated_at"],
    }
    assert client.get(PATH).json()["data"] == [data]
    shown = client.get(f"{PATH}/{data['id']}")
    assert (shown.json()["data"], shown.headers["ETag"]) == (data, '"1"')
    (event,) = events("webhook.*")
    assert (event.type, event.actor, event.audience) == ("webhook.created", owner.pk, [owner.pk])
    assert event.payload["after"]["url"] == "https://hooks.example.com/nook"
    assert secret not in str(event.payload)


def test_what_was_read_can_be_written_back(owner: Any, client_of: ClientOf, events: Events) -> None:
    client = client_of(owner)
    data = client.post(PATH, BODY).json()["data"]
    path = f"{PATH}/{data['id']}"
    shown = client.get(path).json()["data"]

    same = client.put(path, shown)
    changed = client.put(path, {**shown, "active": False})
    part = client.patch(path, {"events": ["*"]})

    assert (same.json()["data"], same.headers["ETag"]) == (shown, '"1"')
    assert (changed.json()["data"]["active"], changed.headers["ETag"]) == (False, '"2"')
    assert (part.json()["data"]["events"], part.json()["data"]["active"]) == (["*"], False)
    assert [event.type for event in events("webhook.*")] == ["webhook.created", "webhook.disabled", "webhook.updated"]


def test_a_change_under_another_version_is_refused(owner: Any, client_of: ClientOf) -> None:
    client = client_of(owner)
    path = f"{PATH}/{client.post(PATH, BODY).json()['data']['id']}"
    before = rows()

    for send in (client.put, client.patch):
        assert send(path, {**BODY, "active": False}, headers={"If-Match": '"7"'}).status_code == 412
    assert client.delete(path, headers={"If-Match": '"7"'}).status_code == 412
    assert client.get(path, headers={"If-None-Match": '"1"'}).status_code == 304
    assert rows() == before


@pytest.mark.parametrize(
    ("change", "details"),
    [
        ({"url": "http://127.0.0.1/"}, [("url", "refused")]),
        ({"url": "http://localhost:8000/"}, [("url", "refused")]),
        ({"url": "http://2130706433/"}, [("url", "refused")]),
        ({"url": "http://0x7f.1/"}, [("url", "refused")]),
        ({"url": "http://[::ffff:10.0.0.1]/"}, [("url", "refused")]),
        ({"url": "http://169.254.169.254/latest/meta-data"}, [("url", "refused")]),
        ({"url": "ftp://hooks.example.com/"}, [("url", "refused")]),
        ({"url": "https://user:password@hooks.example.com/"}, [("url", "refused")]),
        ({"url": "javascript:alert(1)"}, [("url", "refused")]),
        ({"url": "https://hooks.example.com/" + "x" * 2048}, [("url", "max_length")]),
        ({"url": ""}, [("url", "blank")]),
        ({"url": 5}, [("url", "invalid")]),
        ({"events": []}, [("events", "empty")]),
        ({"events": ["resource.craeted", "resource.created"]}, [("events.0", "unknown_event")]),
        ({"events": ["resource"]}, [("events.0", "unknown_event")]),
        ({"events": ["nothing.*"]}, [("events.0", "unknown_event")]),
        ({"events": ["webhook.*"]}, [("events.0", "unknown_event")]),
        ({"events": "resource.*"}, [("events", "not_a_list")]),
        ({"secret": "whsec_mine"}, [("secret", "unknown_field")]),
    ],
    ids=str,
)
def test_what_is_wrong_is_named_and_nothing_is_made(
    owner: Any, client_of: ClientOf, events: Events, change: dict[str, Any], details: Any
) -> None:
    client = client_of(owner)
    path = f"{PATH}/{client.post(PATH, BODY).json()['data']['id']}"
    before, log = rows(), len(events())

    for answer in (client.post(PATH, {**BODY, **change}), client.patch(path, change)):
        assert error_of(answer) == (400, "VALIDATION_ERROR", details)
    assert (rows(), len(events())) == (before, log)


def test_a_type_that_has_occurred_can_be_asked_for(owner: Any, client_of: ClientOf) -> None:
    body = {**BODY, "events": ["access.reviewed"]}
    assert client_of(owner).post(PATH, body).status_code == 400

    Event.objects.create(type="access.reviewed")

    assert client_of(owner).post(PATH, body).status_code == 201


def test_nobody_sees_or_changes_a_stranger_s(owner: Any, stranger: Any, admin: Any, client_of: ClientOf) -> None:
    made = webhooks.create_endpoint(actor=Caller.of(owner), url="https://hooks.example.com/", events=["*"])
    path = f"{PATH}/{made.row.pk}"
    before = rows()

    for user in (stranger, admin):
        client = client_of(user)
        answers = [
            client.get(path),
            client.put(path, BODY),
            client.patch(path, {"active": False}),
            client.delete(path),
            client.post(f"{path}/rotate-secret"),
            client.post(f"{path}/test"),
            client.get(f"{path}/deliveries"),
            client.post(f"{path}/deliveries/{uuid4()}/redeliver"),
        ]
        assert {answer.status_code for answer in answers} == {404}
        assert client.get(PATH).json()["data"] == []
    assert rows() == before


def test_one_has_no_more_than_the_setting_says(owner: Any, client_of: ClientOf, settings: Settings) -> None:
    settings.WEBHOOKS_PER_USER = 2
    client = client_of(owner)
    first = client.post(PATH, BODY).json()["data"]
    client.post(PATH, BODY)

    assert error_of(client.post(PATH, BODY)) == (409, "CONFLICT", [])

    client.delete(f"{PATH}/{first['id']}")
    assert client.post(PATH, BODY).status_code == 201


def test_an_administrator_in_somebody_s_place_leaves_no_listener_behind(owner: Any, admin: Any) -> None:
    in_their_place = replace(Caller.of(owner), impersonated_by=admin.pk)

    with pytest.raises(ActingOnBehalf):
        webhooks.create_endpoint(actor=in_their_place, url="https://hooks.example.com/", events=["*"])
    made = webhooks.create_endpoint(actor=Caller.of(owner), url="https://hooks.example.com/", events=["*"])
    with pytest.raises(ActingOnBehalf):
        webhooks.rotate_secret(actor=in_their_place, endpoint_id=made.row.pk)
    with pytest.raises(ActingOnBehalf):
        webhooks.change_endpoint(actor=in_their_place, endpoint_id=made.row.pk, changes={"is_active": False})


def test_an_allowed_host_is_allowed_by_its_exact_name_and_port(
    owner: Any, client_of: ClientOf, settings: Settings
) -> None:
    settings.WEBHOOK_ALLOWED_HOSTS = ["localhost:9999"]
    # What other parts of the product may reach is not what people's webhooks may.
    settings.OUTBOUND_ALLOWED_HOSTS = ["localhost:7777"]
    client = client_of(owner)

    statuses = {
        port: client.post(PATH, {**BODY, "url": f"http://localhost:{port}/"}).status_code for port in (9999, 7777)
    }

    assert statuses == {9999: 201, 7777: 400}


def test_switched_off_it_gives_up_what_waits_and_on_again_it_begins_anew(owner: Any, client_of: ClientOf) -> None:
    client = client_of(owner)
    data = client.post(PATH, BODY).json()["data"]
    row = WebhookEndpoint.objects.get()
    WebhookEndpoint.objects.update(failures=7, failing_since=row.created_at - timedelta(days=3))
    WebhookDelivery.objects.create(endpoint=row, event_id=uuid4(), event_type="resource.created", body="{}")

    client.patch(f"{PATH}/{data['id']}", {"active": False})
    assert WebhookDelivery.objects.get().state == "failed"
    shown = client.patch(f"{PATH}/{data['id']}", {"active": True}).json()["data"]

    assert (shown["active"], shown["failing_since"], shown["disabled_at"]) == (True, None, None)
    assert WebhookEndpoint.objects.get().failures == 0


def test_deliveries_are_listed_by_state_and_type(owner: Any, client_of: ClientOf) -> None:
    client = client_of(owner)
    data = client.post(PATH, BODY).json()["data"]
    row = WebhookEndpoint.objects.get()
    for state, type_ in (("delivered", "resource.created"), ("failed", "resource.created"), ("failed", "file.created")):
        WebhookDelivery.objects.create(endpoint=row, event_id=uuid4(), event_type=type_, body="{}", state=state)
    path = f"{PATH}/{data['id']}/deliveries"

    assert len(client.get(path).json()["data"]) == 3
    assert [one["type"] for one in client.get(f"{path}?state=failed").json()["data"]] == [
        "file.created",
        "resource.created",
    ]
    assert client.get(f"{path}?state=failed&type=file.created").json()["meta"]["total"] == 1
    assert client.get(f"{path}?state=lost").status_code == 400


@pytest.mark.parametrize("pattern", ["*", "resource.*", "resource.created", "file.created"])
def test_an_endpoint_is_awaited_from_the_moment_it_is_there(owner: Any, client_of: ClientOf, pattern: str) -> None:
    types = ["resource.created", "resource.updated", "file.created", "webhook.failed"]
    assert not any(map(webhooks.is_awaited, types))

    assert client_of(owner).post(PATH, {**BODY, "events": [pattern]}).status_code == 201

    expected = [WebhookEndpoint.objects.listening_to(type_).exists() for type_ in types]
    assert [webhooks.is_awaited(type_) for type_ in types] == expected
    assert any(expected)
    WebhookEndpoint.objects.update(is_active=False)
    assert not any(map(webhooks.is_awaited, types))
