"""SMTP: one connection of this process to each server, kept from mail to mail; nothing else of the project speaks it.

TLS is never given up for a server that does not offer it, every socket operation has a timeout, and a mail goes over a
kept connection only as long as that is as good as a new one: a server that hung up, or that takes no more mails over
it, has a new one opened before the mail was offered. What goes wrong after that is the mail's, as on its first one.
"""

import atexit
import os
import select
import smtplib
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from django.conf import settings

from notifications.channels import DeliveryFailed, Fence, ServerDown
from notifications.models.suppressions import BOUNCE
from notifications.status_codes import names_no_mailbox

MOST_MAILS: Final = 100
"""How many go over one connection; servers count them, too, and hang up after more."""

LONGEST_AGE: Final = 300.0
"""For how many seconds a connection is used: a name that leads to another machine by now is asked for again."""

_CLOSING: Final = 421  # RFC 5321, 3.8: said at any step by a server that is about to go away
_LOST: Final = (smtplib.SMTPServerDisconnected, OSError)


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail goes, as `settings.MAIL` and `settings.MAIL_FALLBACK` say it."""

    scheme: str
    host: str = ""
    port: int = 0
    user: str = ""
    password: str = ""
    tls: str = "starttls"
    folder: str = ""
    timeout: float = 10.0

    @property
    def name(self) -> str:
        """Return what it is called in the answers of attempts."""
        return f"{self.host}:{self.port}" if self.host else self.scheme


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail to one recipient, as it goes over the wire."""

    sender: str
    recipient: str
    content: bytes


class Unavailable(DeliveryFailed):
    """The server takes no mail at all at the moment: not ours only."""

    def __init__(self, answer: str) -> None:
        super().__init__(answer, permanent=False)


class _Stale(Exception):  # it never leaves this module
    """A connection that has served before serves no more; the mail was not offered over it."""


def transmit(letter: Letter, server: MailServer, fence: Fence) -> str:
    """Send one mail and return the server's answer to it; raises `DeliveryFailed`."""
    with _failures_told():
        kept = _kept.take(server)
        if kept is not None:
            with suppress(_Stale):
                return _sent_over(kept, letter, fence)
        return _sent_over(_Line(server), letter, fence)


def hang_up() -> None:
    """Close the connections that are kept; the next mail opens one."""
    _kept.close()


def _sent_over(line: "_Line", letter: Letter, fence: Fence) -> str:
    try:
        answer = line.send(letter, fence)
    except BaseException:
        # What the server would say next may be about this mail: no other one goes over it.
        line.close()
        raise
    _kept.give_back(line)
    return answer


class _Line:
    """A connection, over which one mail goes at a time."""

    def __init__(self, server: MailServer) -> None:
        self.place = _place(server)
        self._connection = _connect(server)
        self._opened_at = self._idle_since = time.monotonic()
        self._mails = 0

    def send(self, letter: Letter, fence: Fence) -> str:
        """Send the mail and return the server's answer to it; raises `_Stale` before it was offered."""
        with self._stale_if_used(DeliveryFailed, *_LOST):
            _expect(self._connection.mail(letter.sender), is_about_address=False)
        with self._stale_if_used(Unavailable, *_LOST):
            _expect(self._connection.rcpt(letter.recipient), is_about_address=True)
        fence()
        try:
            answer = _expect(self._connection.data(letter.content), is_about_address=True)
        except smtplib.SMTPDataError as error:
            raise _refusal(error.smtp_code, error.smtp_error, is_about_address=True) from error
        self._mails += 1
        self._idle_since = time.monotonic()
        return answer

    def is_worth_keeping(self) -> bool:
        """Return whether another mail may go over it."""
        return self._mails < MOST_MAILS and time.monotonic() - self._opened_at < LONGEST_AGE

    def is_usable(self) -> bool:
        """Return whether the server has kept it as well: one that has something to say has hung up."""
        if not self.is_worth_keeping() or self.is_idle_for_long() or self._connection.sock is None:
            return False
        return not select.select([self._connection.sock], [], [], 0)[0]

    def is_idle_for_long(self) -> bool:
        return time.monotonic() - self._idle_since >= settings.EMAIL_IDLE_SECONDS

    def close(self) -> None:
        """Say goodbye, and wait for nothing: the answer to the mail has been read by now, or never will be."""
        with suppress(OSError, smtplib.SMTPException):
            self._connection.putcmd("quit")
        self._connection.close()

    def drop(self) -> None:
        """Let go of it without a word: it is another process's."""
        self._connection.close()

    @contextmanager
    def _stale_if_used(self, *signs: type[Exception]) -> Iterator[None]:
        try:
            yield
        except signs as sign:
            if self._mails:
                raise _Stale from sign
            raise


_Place: TypeAlias = tuple[MailServer, ssl.DefaultVerifyPaths | None]


def _place(server: MailServer) -> _Place:
    """Return what two mails need to have in common to go over one connection: server, sign-in, and whom we trust."""
    return server, None if server.tls == "none" else ssl.get_default_verify_paths()


class _Kept:
    """The idle connections of this process; one that is in use stands in no list."""

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget everything: a forked child has its parent's sockets, which it must not use, and not its threads."""
        for line in getattr(self, "_lines", {}).values():
            line.drop()
        self._lock = threading.Lock()
        self._lines: dict[_Place, _Line] = {}
        self._watch: threading.Timer | None = None

    def take(self, server: MailServer) -> _Line | None:
        """Return an idle connection to the server that is still good."""
        with self._lock:
            line = self._lines.pop(_place(server), None)
        if line is None or line.is_usable():
            return line
        line.close()
        return None

    def give_back(self, line: _Line) -> None:
        """Keep it for the next mail; of two, the newer."""
        if settings.EMAIL_IDLE_SECONDS <= 0 or not line.is_worth_keeping():
            line.close()
            return
        with self._lock:
            older = self._lines.pop(line.place, None)
            self._lines[line.place] = line
            self._look_again()
        if older is not None:
            older.close()

    def close(self) -> None:
        """Hang up everywhere."""
        with self._lock:
            lines, self._lines = list(self._lines.values()), {}
            if self._watch is not None:
                self._watch.cancel()
                self._watch = None
        for line in lines:
            line.close()

    def _look_again(self) -> None:
        if self._watch is None:
            self._watch = threading.Timer(settings.EMAIL_IDLE_SECONDS, self._hang_up_on_the_idle)
            self._watch.daemon = True
            self._watch.start()

    def _hang_up_on_the_idle(self) -> None:
        with self._lock:
            idle = [place for place, line in self._lines.items() if line.is_idle_for_long()]
            lines = [self._lines.pop(place) for place in idle]
            self._watch = None
            if self._lines:
                self._look_again()
        for line in lines:
            line.close()


_kept: Final = _Kept()
atexit.register(hang_up)
os.register_at_fork(after_in_child=_kept.begin_anew)


def _trust() -> ssl.SSLContext:
    """Return what certificates are judged by; reading the authorities for each mail took longer than all else."""
    return _trusting(ssl.get_default_verify_paths())


@lru_cache(maxsize=1)
def _trusting(_paths: ssl.DefaultVerifyPaths) -> ssl.SSLContext:
    return ssl.create_default_context()


def _connect(server: MailServer) -> smtplib.SMTP:
    if server.tls == "implicit":
        connection: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, timeout=server.timeout, context=_trust())
    else:
        connection = smtplib.SMTP(server.host, server.port, timeout=server.timeout)
    try:
        if server.tls == "starttls":
            connection.starttls(context=_trust())
        if server.user:
            connection.login(server.user, server.password)
        connection.ehlo_or_helo_if_needed()
    except BaseException:
        connection.close()
        raise
    return connection


def _expect(reply: tuple[int, bytes], *, is_about_address: bool) -> str:
    """Return the server's answer when it is a yes; raises `DeliveryFailed` when it is not."""
    code, text = reply
    if 200 <= code < 300:
        return f"{code} {_readable(text)}"
    raise _refusal(code, text, is_about_address=is_about_address)


def _refusal(code: int, text: bytes | str, *, is_about_address: bool) -> DeliveryFailed:
    """Return the failure: a no to our sender's address is ours to mend, one to the recipient or the mail is final."""
    answer = f"{code} {_readable(text)}"
    if code == _CLOSING:
        return Unavailable(answer)
    is_final = is_about_address and code >= 500
    return DeliveryFailed(answer, permanent=is_final, lists_as=BOUNCE if is_final and names_no_mailbox(answer) else "")


@contextmanager
def _failures_told() -> Iterator[None]:
    """Turn what the SMTP library raises into `DeliveryFailed`."""
    try:
        yield
    except smtplib.SMTPResponseException as error:
        # Refused before the mail was offered (greeting, TLS, sign-in): that is the server's state or our
        # settings, not this mail, so it stays worth another try whatever the code.
        raise Unavailable(f"{error.smtp_code} {_readable(error.smtp_error)}") from error
    except _LOST as error:
        raise ServerDown(f"{type(error).__name__}: {error}") from error
    except smtplib.SMTPException as error:
        raise Unavailable(f"{type(error).__name__}: {error}") from error


def _readable(raw: bytes | str) -> str:
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
