"""`manage.py cache_clear`: makes what is cached count no more."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from core.cache import TTLS, invalidate


class Command(BaseCommand):
    help = "Make every cached value of the given namespaces count no more; of all of them without any."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("namespaces", nargs="*", choices=[*TTLS, []], metavar="namespace", help=", ".join(TTLS))

    def handle(self, *args: Any, namespaces: list[str], **options: Any) -> None:
        chosen = namespaces or list(TTLS)
        for namespace in chosen:
            invalidate(namespace)
        self.stdout.write(f"Cleared {', '.join(chosen)}.")
