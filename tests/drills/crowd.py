"""Makes the people of a drill, each of whom every channel reaches: run in the environment of the house to live in.

`python -m tests.drills.crowd 0 1000 127.0.0.1:8080` makes a thousand, numbered from 0; push finds their browsers at
that place. They sign in nowhere, so they have no password.
"""

import sys
from typing import Any, Final

import django
from cryptography.hazmat.primitives.asymmetric import ec
from django.utils import timezone

from core.crypto import token_digest
from core.crypto.pairs import base64url, public_point

PLATFORMS: Final = ("web", "fcm", "apns")


def address_of(number: int) -> str:
    """Return the mail address of one of them."""
    return f"crowd{number}@example.com"


def phone_of(number: int) -> str:
    """Return the telephone number of one of them."""
    return f"+4366{number:08}"


def _make(first: int, count: int, push_place: str) -> None:
    from accounts.models import User
    from notifications.models.devices import Device

    people = [
        User(
            email=address_of(number),
            name="Crowd",
            password="!",
            email_verified=True,
            phone=phone_of(number),
            phone_verified=True,
        )
        for number in range(first, first + count)
    ]
    User.objects.bulk_create(people, batch_size=1000)
    devices = [
        Device(user=person, last_registered_at=timezone.now(), **_device(number, push_place))
        for number, person in enumerate(people, first)
    ]
    Device.objects.bulk_create(devices, batch_size=1000)


def _device(number: int, push_place: str) -> dict[str, Any]:
    platform = PLATFORMS[number % 3]
    address = {"token": f"{number:064x}"} if platform != "web" else _subscription(number, push_place)
    digest = token_digest(address.get("endpoint") or platform + address["token"])
    return {"platform": platform, "address": address, "address_digest": digest}


_KEY: Final = base64url(public_point(ec.generate_private_key(ec.SECP256R1())))


def _subscription(number: int, push_place: str) -> dict[str, str]:
    return {"endpoint": f"http://{push_place}/push/{number}", "p256dh": _KEY, "auth": base64url(b"sixteen letters.")}


if __name__ == "__main__":
    django.setup()
    _make(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
