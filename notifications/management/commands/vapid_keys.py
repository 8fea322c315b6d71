"""`manage.py vapid_keys`: a key pair for Web Push."""

from typing import Any

from django.core.management.base import BaseCommand

from core.crypto.pairs import new_pair


class Command(BaseCommand):
    help = (
        "Make a key pair for Web Push and print it: the private key for VAPID_PRIVATE_KEY, the public one for"
        " information (GET /api/v1/devices/web-push-key gives it to browsers). Nothing is stored and nobody is hit;"
        " but browsers that subscribed under another key are reached no more once you use this one."
    )
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        private, public = new_pair()
        self.stdout.write(f"VAPID_PRIVATE_KEY={private}")
        self.stdout.write(f"# public key: {public}")
