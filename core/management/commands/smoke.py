"""`manage.py smoke`: is the server at this address alive, from registering to deleting?"""

import os
import re
import time
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.smoke import Journey, Server, SmokeFailed, base_url_of

_TOKEN = re.compile(r"/verify-email\?token=([\w.~-]+)")


class Command(BaseCommand):
    help = (
        "Go from registering to deleting on the server at --base-url over real HTTP, and clean up. "
        "Needs an administrator: SMOKE_ADMIN_EMAIL and SMOKE_ADMIN_PASSWORD, and SMOKE_ADMIN_TOTP_SECRET "
        "(the base32 text of the authenticator app) where the account has two-factor sign-in. "
        "Exit code 0 when every step answered as promised."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--base-url", required=True, help="The server's address, as in https://api.example.com.")
        parser.add_argument(
            "--mail-folder",
            type=Path,
            help="The folder of a filemail:// EMAIL_URL: confirm the address by the mail instead of the administrator.",
        )

        parser.add_argument(
            "--mail-seconds", type=float, default=30.0, help="How long to wait for that mail (default: 30)."
        )

    def handle(self, *args: Any, base_url: str, mail_folder: Path | None, mail_seconds: float, **options: Any) -> None:
        email, password = os.environ.get("SMOKE_ADMIN_EMAIL", ""), os.environ.get("SMOKE_ADMIN_PASSWORD", "")
        if not email or not password:
            raise CommandError("Give SMOKE_ADMIN_EMAIL and SMOKE_ADMIN_PASSWORD: the administrator who cleans up.")
        started = time.monotonic()
        try:
            reader = mail_reader(mail_folder, seconds=mail_seconds) if mail_folder else None
            totp_secret = os.environ.get("SMOKE_ADMIN_TOTP_SECRET", "")
            server = Server(base_url_of(base_url))
            Journey(server, email, password, self._report, reader, admin_totp_secret=totp_secret).run()
        except SmokeFailed as failure:
            raise CommandError(f"FAIL  {failure}") from failure
        self.stdout.write(f"{base_url} works: the whole way took {time.monotonic() - started:.1f} s.")

    def _report(self, title: str, seconds: float) -> None:
        self.stdout.write(f"ok    {title:<26} {seconds * 1000:>6.0f} ms")


def mail_reader(folder: Path, *, seconds: float) -> Callable[[str], str]:
    """Return what waits for the mail to an address and returns the token of its link."""

    def read(address: str) -> str:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for path in folder.iterdir():
                mail = message_from_bytes(path.read_bytes(), policy=policy.default)
                found = _TOKEN.search(_text_of(mail))
                if mail["To"] and address in mail["To"] and found:
                    return found[1]
            time.sleep(0.2)
        raise SmokeFailed(f"no mail to {address} in {folder} within {seconds:g} s")

    return read


def _text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    return str(body.get_content()) if body else ""
