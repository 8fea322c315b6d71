"""Each push provider is a lane of its own: one that hangs delays neither the others' devices nor other people."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from core import beside
from core.queue import RetryLater
from core.tests.test_outages import eventually
from notifications.models import Message
from notifications.models.devices import Device, DeviceDelivery
from notifications.services.pushing import _lane_of
from notifications.tasks import deliver
from notifications.tests.push_services import Browser, Provider
from notifications.tests.test_push import APPLE_TOKEN, pushed, register, tell

ClientOf = Callable[..., Client]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _patient(settings: Settings) -> None:
    settings.PUSH_TIMEOUT_SECONDS = 15.0


def run(message: Message) -> None:
    """Run its task; one that is to come round again is no failure."""
    with suppress(RetryLater):
        deliver(message_id=str(message.pk))


def make_due(message: Message) -> None:
    Message.objects.filter(pk=message.pk).update(next_try_at=timezone.now())


def reached() -> list[str]:
    return sorted(DeviceDelivery.objects.values_list("device__platform", flat=True))


def test_a_provider_that_hangs_delays_no_other_device_of_the_person(
    firebase: Provider,
    apple: Provider,
    push_service: Provider,
    client_of: ClientOf,
    owner: Any,
    a_pool_child: None,
) -> None:
    register(client_of(owner), "fcm", token="a:token")
    register(client_of(owner), "apns", token=APPLE_TOKEN)
    register(client_of(owner), "web", subscription=Browser(push_service.url).subscription)
    firebase.hangs = True
    tell(owner)

    run(pushed(owner))
    eventually(lambda: reached() == ["apns", "web"])
    eventually(lambda: pushed(owner).state == "queued")

    firebase.gate.set()
    eventually(lambda: reached() == ["apns", "fcm", "web"])
    make_due(pushed(owner))
    run(pushed(owner))
    eventually(lambda: pushed(owner).state == "sent")
    assert [len(one.notices) for one in (firebase, apple, push_service)] == [1, 1, 1]


def test_what_is_waited_for_is_not_asked_for_again_before_it_is_over(
    firebase: Provider, client_of: ClientOf, owner: Any, a_pool_child: None
) -> None:
    register(client_of(owner), "fcm", token="a:token")
    firebase.hangs = True
    tell(owner)

    run(pushed(owner))
    eventually(lambda: pushed(owner).state == "queued")

    next_try_at = pushed(owner).next_try_at
    assert next_try_at is not None
    assert (next_try_at - timezone.now()).total_seconds() > 3 * 15 - 5
    assert "waited for beside other work" in pushed(owner).attempts.get().answer
    firebase.gate.set()


def test_a_full_lane_delays_nobody_of_another(
    firebase: Provider, apple: Provider, client_of: ClientOf, owner: Any, stranger: Any, a_pool_child: None
) -> None:
    register(client_of(owner), "fcm", token="a:token")
    register(client_of(stranger), "apns", token=APPLE_TOKEN)
    for _ in range(beside.LANE_WIDTH):
        with pytest.raises(beside.LeftBehind):
            beside.run("push:fcm", lambda: firebase.gate.wait(20))
    tell(owner)
    tell(stranger)

    run(pushed(owner))
    run(pushed(stranger))

    eventually(lambda: (reached(), pushed(stranger).state) == (["apns"], "sent"))
    eventually(lambda: pushed(owner).state == "queued")
    assert pushed(owner).attempts.get().answer == "too many wait for an answer"
    assert firebase.notices == []
    firebase.gate.set()
    beside.wait_for_all(seconds=10)
    make_due(pushed(owner))
    run(pushed(owner))
    eventually(lambda: (len(firebase.notices), pushed(owner).state) == (1, "sent"))


def test_the_last_attempt_is_waited_for(
    firebase: Provider, client_of: ClientOf, owner: Any, a_pool_child: None
) -> None:
    register(client_of(owner), "fcm", token="a:token")
    tell(owner)
    Message.objects.update(attempts_left=1)

    run(pushed(owner))

    assert (pushed(owner).state, len(firebase.notices)) == ("sent", 1)


@pytest.mark.parametrize(
    ("endpoint", "lane"),
    [
        ("https://fcm.googleapis.com/fcm/send/x", "push:web:fcm.googleapis.com"),
        ("https://updates.push.services.mozilla.com/wpush/v2/x", "push:web:push.services.mozilla.com"),
        ("https://web.push.apple.com/x", "push:web:push.apple.com"),
        ("https://notpush.apple.com.evil.example/x", "push:web:others"),
        ("https://evilpush.apple.com/x", "push:web:others"),
        ("https://mine.example/x", "push:web:others"),
    ],
)
def test_browsers_have_the_lane_of_their_push_service(endpoint: str, lane: str) -> None:
    assert _lane_of(Device(platform="web", address={"endpoint": endpoint})) == lane
