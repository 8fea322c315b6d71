"""Push: devices that people register, and notices that reach each of them once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection
from django.test import Client
from pytest_django import Settings

from core.breaker import state_of
from core.crypto.pairs import base64url, private_key_of, public_point
from core.models import Event
from core.tests.spine import Drain
from notifications.models import PUSH, Message
from notifications.models.devices import Device, DeviceDelivery
from notifications.services import notifying
from notifications.services.devices import remove_devices_of_session
from notifications.tests.push_services import Answer, Browser, Provider

PATH = "/api/v1/devices"
APPLE_TOKEN = "ab" * 32


def tell(user: Any, **more: Any) -> None:
    news = notifying.News("system.broadcast", {"title": "Closed on Friday", "text": "All day."}, **more)
    notifying.notify(news, to=[user.pk])


def register(client: Client, platform: str, name: str = "", **address: Any) -> Any:
    body = {"platform": platform, "name": name, **address}
    return client.post(PATH, body, content_type="application/json")


def pushed(user: Any) -> Message:
    return Message.objects.get(recipient=user, channel=PUSH)


def test_a_browser_gets_the_notice_sealed_for_it_alone(
    push_service: Provider, client_of: Callable[..., Client], owner: Any, drain: Drain
) -> None:
    browser = Browser(push_service.url)
    answer = register(client_of(owner), "web", "Firefox", subscription=browser.subscription)

    tell(owner)
    drain()

    assert answer.status_code == 201
    assert answer.json()["data"]["name"] == "Firefox"
    (notice,) = push_service.notices
    shown = browser.open(notice["sealed"])
    assert (shown["title"], shown["body"]) == ("Closed on Friday", "All day.")
    assert shown["data"]["kind"] == "system.broadcast"
    assert pushed(owner).state == "sent"
    assert push_service.requests[0]["ttl"] == "86400"


@pytest.mark.parametrize("sign", ["\U0001f600", '"', "\u00e4"])
def test_a_long_text_is_cut_to_what_every_provider_takes(
    push_service: Provider, client_of: Callable[..., Client], owner: Any, drain: Drain, sign: str
) -> None:
    browser = Browser(push_service.url)
    register(client_of(owner), "web", subscription=browser.subscription)

    long = {"title": "Closed on Friday", "text": sign * 5_000}
    notifying.notify(notifying.News("system.broadcast", long), to=[owner.pk])
    drain()

    (notice,) = push_service.notices
    assert len(notice["sealed"]) <= 4096
    assert browser.open(notice["sealed"])["body"].startswith(sign * 100)


def test_firebase_and_apple_get_it_too_and_apple_on_one_connection(
    firebase: Provider, apple: Provider, client_of: Callable[..., Client], owner: Any, drain: Drain
) -> None:
    assert register(client_of(owner), "fcm", token="a:token").status_code == 201
    assert register(client_of(owner), "apns", token=APPLE_TOKEN).status_code == 201

    tell(owner)
    tell(owner)
    drain()

    assert [one["notification"]["title"] for one in firebase.notices] == ["Closed on Friday"] * 2
    assert [one["path"] for one in firebase.requests] == ["/token"]
    assert [one["path"] for one in apple.notices] == [f"/3/device/{APPLE_TOKEN}"] * 2
    assert apple.notices[0]["aps"]["alert"] == {"title": "Closed on Friday", "body": "All day."}
    assert apple.requests[0]["apns-topic"] == "com.example.nook"
    assert apple.connections == 1


def test_who_has_no_device_gets_no_push(push_service: Provider, owner: Any, drain: Drain) -> None:
    tell(owner)
    drain()

    assert not Message.objects.filter(channel=PUSH).exists()


@pytest.mark.parametrize("status", [404, 410])
def test_a_browser_that_is_gone_is_removed(
    push_service: Provider, client_of: Callable[..., Client], owner: Any, drain: Drain, status: int
) -> None:
    register(client_of(owner), "web", subscription=Browser(push_service.url).subscription)
    push_service.answers.append(Answer(status))

    tell(owner)
    drain()

    assert not Device.objects.exists()
    assert pushed(owner).state == "sent"
    assert Event.objects.get(type="device.removed").payload["reason"].startswith(f"gone: {status}")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (404, {"status": "NOT_FOUND", "details": [{"errorCode": "UNREGISTERED"}]}),
        (403, {"status": "PERMISSION_DENIED", "details": [{"errorCode": "SENDER_ID_MISMATCH"}]}),
        (400, {"status": "INVALID_ARGUMENT", "details": [{"fieldViolations": [{"field": "message.token"}]}]}),
    ],
)
def test_a_token_that_firebase_calls_dead_is_removed(
    firebase: Provider,
    client_of: Callable[..., Client],
    owner: Any,
    drain: Drain,
    status: int,
    error: dict[str, Any],
) -> None:
    register(client_of(owner), "fcm", token="a:token")
    firebase.answers.append(Answer(status, {"error": error}))

    tell(owner)
    drain()

    assert not Device.objects.exists()


@pytest.mark.parametrize(("status", "reason"), [(410, "Unregistered"), (400, "BadDeviceToken")])
def test_a_token_that_apple_calls_dead_is_removed(
    apple: Provider, client_of: Callable[..., Client], owner: Any, drain: Drain, status: int, reason: str
) -> None:
    register(client_of(owner), "apns", token=APPLE_TOKEN)
    apple.answers.append(Answer(status, {"reason": reason}))

    tell(owner)
    drain()

    assert not Device.objects.exists()


def test_what_one_device_s_provider_refuses_for_now_is_tried_again_for_that_device_alone(
    push_service: Provider, apple: Provider, client_of: Callable[..., Client], owner: Any, drain: Drain
) -> None:
    browser = Browser(push_service.url)
    register(client_of(owner), "web", subscription=browser.subscription)
    register(client_of(owner), "apns", token=APPLE_TOKEN)
    apple.answers.append(Answer(503, {"reason": "ServiceUnavailable"}))

    tell(owner)
    drain()
    assert (len(push_service.notices), len(apple.notices), pushed(owner).state) == (1, 0, "queued")

    drain(ahead=timedelta(hours=1))
    assert (len(push_service.notices), len(apple.notices), pushed(owner).state) == (1, 1, "sent")
    assert len({one["apns-id"] for one in apple.requests}) == 1
    assert DeviceDelivery.objects.count() == 2


def test_a_device_belongs_to_whoever_signed_in_on_it_last(
    push_service: Provider, client_of: Callable[..., Client], owner: Any, stranger: Any, drain: Drain
) -> None:
    browser = Browser(push_service.url)
    first = register(client_of(owner), "web", subscription=browser.subscription)
    again = register(client_of(owner), "web", "Renamed", subscription=browser.subscription)
    other = register(client_of(stranger), "web", subscription=browser.subscription)

    tell(owner)
    drain()

    assert [one.status_code for one in (first, again, other)] == [201, 200, 201]
    assert first.json()["data"]["id"] == again.json()["data"]["id"]
    assert Device.objects.get().user_id == stranger.pk
    assert push_service.notices == []


def test_the_end_of_the_session_ends_its_device(
    apple: Provider, client_of: Callable[..., Client], owner: Any, drain: Drain
) -> None:
    client = client_of(owner)
    register(client, "apns", token=APPLE_TOKEN)

    client.post("/api/v1/auth/logout")
    drain()

    assert not Device.objects.exists()
    assert remove_devices_of_session(uuid4()) == 0


def test_devices_are_shown_and_removed_by_their_owner_alone(
    apple: Provider, client_of: Callable[..., Client], owner: Any, stranger: Any
) -> None:
    device = register(client_of(owner), "apns", "Phone", token=APPLE_TOKEN).json()["data"]

    assert [one["id"] for one in client_of(owner).get(PATH).json()["data"]] == [device["id"]]
    assert APPLE_TOKEN not in client_of(owner).get(PATH).content.decode()
    assert client_of(stranger).get(PATH).json()["data"] == []
    assert client_of(stranger).delete(f"{PATH}/{device['id']}").status_code == 404
    assert Device.objects.count() == 1
    assert client_of(owner).delete(f"{PATH}/{device['id']}").status_code == 204
    assert not Device.objects.exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"platform": "pager", "token": "x"}, "platform"),
        ({"platform": "apns"}, "token"),
        ({"platform": "apns", "token": "not hex"}, "token"),
        ({"platform": "apns", "token": "../../1/other"}, "token"),
        (
            {"platform": "apns", "token": APPLE_TOKEN, "subscription": Browser("http://a.example").subscription},
            "subscription",
        ),
        ({"platform": "web", "token": APPLE_TOKEN}, "subscription"),
        ({"platform": "web", "subscription": {"endpoint": "https://a.example/1"}}, "subscription.keys"),
        ({"platform": "web", "subscription": Browser("http://10.0.0.1").subscription}, "subscription.endpoint"),
        ({"platform": "web", "subscription": Browser("ftp://a.example").subscription}, "subscription.endpoint"),
        ({"platform": "web", "subscription": Browser("http://u@a.example").subscription}, "subscription.endpoint"),
        (
            {
                "platform": "web",
                "subscription": {"endpoint": "https://a.example", "keys": {"p256dh": "é", "auth": "x"}},
            },
            "subscription.keys",
        ),
        ({"platform": "fcm", "token": "x"}, "platform"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_no_device_is_refused(
    push_service: Provider,
    apple: Provider,
    client_of: Callable[..., Client],
    owner: Any,
    body: dict[str, Any],
    field: str,
) -> None:
    answer = client_of(owner).post(PATH, body, content_type="application/json")

    assert answer.status_code == 400
    assert answer.json()["error"]["details"][0]["field"].startswith(field.split(".")[0])
    assert not Device.objects.exists()
    assert not Event.objects.filter(type="device.created").exists()


def test_a_person_has_twenty_devices_at_most(apple: Provider, client_of: Callable[..., Client], owner: Any) -> None:
    client = client_of(owner)

    answers = [register(client, "apns", token=f"{number:064x}").status_code for number in range(21)]

    assert answers == [201] * 20 + [409]
    assert Device.objects.count() == 20


@pytest.mark.django_db(transaction=True)
def test_a_device_that_is_registered_many_times_at_once_is_one(
    apple: Provider, client_of: Callable[..., Client], owner: Any
) -> None:
    clients = [client_of(owner) for _ in range(8)]

    def go(client: Client) -> int:
        try:
            return int(register(client, "apns", token=APPLE_TOKEN).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(go, clients))

    assert sorted(answers) == [200] * 7 + [201]
    assert Device.objects.count() == 1


def test_the_key_of_browsers_is_public_where_there_is_one(
    push_service: Provider, anonymous: Client, settings: Settings
) -> None:
    shown = anonymous.get(f"{PATH}/web-push-key")
    settings.VAPID_PRIVATE_KEY = ""

    assert shown.json()["data"]["public_key"].startswith("B")
    assert anonymous.get(f"{PATH}/web-push-key").status_code == 404


def test_an_erased_person_leaves_no_device(apple: Provider, client_of: Callable[..., Client], owner: Any) -> None:
    register(client_of(owner), "apns", token=APPLE_TOKEN)

    get_user_model()._default_manager.filter(pk=owner.pk).delete()

    assert not Device.objects.exists()


def test_the_command_makes_a_pair_that_push_services_take(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("vapid_keys")

    private, public = (line.rpartition("=" if "=" in line else " ")[2] for line in capsys.readouterr().out.splitlines())
    assert base64url(public_point(private_key_of(private))) == public


def test_an_endpoint_that_fails_stops_nothing_else_of_its_host(
    push_service: Provider, client_of: Callable[..., Client], owner: Any, stranger: Any, drain: Drain
) -> None:
    register(client_of(owner), "web", subscription=Browser("http://127.0.0.1:1").subscription)
    register(client_of(stranger), "web", subscription=Browser(push_service.url).subscription)

    for _ in range(6):
        tell(owner)
        drain()
    tell(stranger)
    drain()

    assert len(push_service.notices) == 1
    assert state_of("http:127.0.0.1") == "closed"


def test_what_the_server_itself_may_ask_is_no_push_service_that_people_name(
    push_service: Provider, settings: Settings, client_of: Callable[..., Client], owner: Any, drain: Drain
) -> None:
    client = client_of(owner)
    register(client, "web", subscription=Browser(push_service.url).subscription)
    settings.PUSH_ALLOWED_HOSTS = []

    answer = register(client, "web", subscription=Browser(push_service.url, "two").subscription)
    tell(owner)
    drain()

    assert answer.status_code == 400
    assert answer.json()["error"]["details"][0]["field"] == "subscription.endpoint"
    assert push_service.notices == []


def test_a_token_that_was_an_endpoint_is_sent_as_what_it_is_now(
    push_service: Provider, firebase: Provider, client_of: Callable[..., Client], owner: Any, drain: Drain
) -> None:
    subscription = Browser(push_service.url).subscription
    register(client_of(owner), "web", subscription=subscription)

    answer = register(client_of(owner), "fcm", token=subscription["endpoint"])
    tell(owner)
    drain()

    assert answer.json()["data"]["platform"] == "fcm"
    assert (len(firebase.notices), push_service.notices) == (1, [])
