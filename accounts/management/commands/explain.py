"""`manage.py explain`: how PostgreSQL answers one GET."""

import argparse
import io
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit
from wsgiref.util import setup_testing_defaults

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction

from accounts.models import Session, User
from accounts.services.sessions import access_token_for
from accounts.tokens import REFRESH_PREFIX, digest
from core.crypto import random_token
from core.explaining import LARGE, Asked, Explained, explain, statements

_MINUTES: Final = timedelta(minutes=5)
_SHOWN: Final = 110


class Command(BaseCommand):
    help = (
        "Ask the server's own code for a page, and show each statement that this takes and how PostgreSQL runs it. "
        "Nobody is hit: it reads, in a transaction that is taken back. Ends with code 1 when a large table is read "
        "from end to end."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("path", help="What to GET, with its parameters: '/api/v1/resources?sort=name'.")
        parser.add_argument("--as", dest="email", metavar="EMAIL", help="Ask as this user; otherwise as nobody.")
        parser.add_argument("--large", type=int, default=LARGE, help=f"What a large table is, in rows ({LARGE}).")
        parser.add_argument("--plans", action="store_true", help="Show each plan whole.")
        parser.add_argument(
            "--analyze", action="store_true", help="Run each once more and show its times; --plans too."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            # Before the request: what signs the asker in is no part of the answer.
            headers = self._signed_in(options["email"]) if options["email"] else {}
            with _kept_connection(), statements() as asked:
                status = _get(options["path"], headers)
            reads = [one for one in asked if one.is_read]
            plans = [explain(one, large=options["large"], is_run=options["analyze"]) for one in reads]
            transaction.set_rollback(True)
        for number, found in enumerate(plans, start=1):
            self._tell(number, found, is_whole=options["plans"] or options["analyze"])
        self._sum_up(status, asked, plans)

    def _signed_in(self, email: str) -> dict[str, str]:
        user = User.objects.select_related("role").filter(email=email).first()
        if user is None:
            raise CommandError(f"There is no user {email}.")
        now = datetime.now(UTC)
        session = Session.objects.create(
            user=user,
            token=digest(random_token(REFRESH_PREFIX)),
            expires_at=now + _MINUTES,
            authenticated_at=now,
            last_seen_at=now,
            device="manage.py explain",
        )
        return {"HTTP_AUTHORIZATION": f"Bearer {access_token_for(session, user)}"}

    def _tell(self, number: int, found: Explained, *, is_whole: bool) -> None:
        self.stdout.write(f"{number}. {found.text if is_whole else found.text[:_SHOWN]}")
        if is_whole:
            self.stdout.write("".join(f"   {line}\n" for line in found.plan.splitlines()))
        for table, rows in found.scanned.items():
            self.stdout.write(self.style.ERROR(f"   reads all of {table}: about {rows:,} rows"))

    def _sum_up(self, status: str, asked: list[Asked], plans: list[Explained]) -> None:
        scans = sum(bool(found.scanned) for found in plans)
        facts = (
            f"{status}; {len(asked)} statements, {len(plans)} of them read, {scans} from end to end of a large table."
        )
        if scans:
            raise CommandError(facts)
        self.stdout.write(facts)


@contextmanager
def _kept_connection() -> Iterator[None]:
    """Keep Django from closing the connection around the request: it would take the transaction for a left-over."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    try:
        yield
    finally:
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)


def _get(target: str, headers: dict[str, str]) -> str:
    """Return the status line of the answer to a GET; raises `CommandError` where there is no such page."""
    parts = urlsplit(target)
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    environ |= {
        "PATH_INFO": parts.path,
        "QUERY_STRING": parts.query,
        "HTTP_HOST": _own_host(),
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(),
        "REMOTE_ADDR": "127.0.0.1",
        **headers,
    }
    statuses: list[str] = []

    def begin(status: str, headers: Any, error: Any = None, /) -> Callable[[bytes], None]:
        statuses.append(status)
        return lambda _part: None

    with closing(get_wsgi_application()(environ, begin)) as body:
        b"".join(body)
    if int(statuses[0].split()[0]) >= HTTPStatus.BAD_REQUEST:
        raise CommandError(f"{target} answers {statuses[0]}.")
    return statuses[0]


def _own_host() -> str:
    """Return a name that the server answers to."""
    named = (host.lstrip(".") for host in settings.ALLOWED_HOSTS if host != "*")
    return next(named, urlsplit(settings.PUBLIC_URL).netloc or "localhost")
