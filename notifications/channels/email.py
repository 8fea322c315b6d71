"""Mail over SMTP, or into a folder, or onto the console.

Once the server has taken a mail nothing that goes wrong afterwards counts as a failure.

Where a second server is configured, it is asked when the first is unable to take any mail: out of reach, its TLS or our
sign-in refused, closing (421), or left alone by its breaker. Never once the mail was offered: what hung after DATA may
have been taken, and is offered again later, to the first server first, under the same Message-ID.
"""

import sys
from collections.abc import Callable
from email.errors import MessageError
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy, Policy
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.utils import timezone

from core.breaker import CircuitOpen, breaker
from notifications.channels import Channel, DeliveryFailed, Fence, Outgoing, ServerDown, register_channel
from notifications.channels.smtp import Letter, MailServer, Unavailable, transmit

_LONGEST_LINE: Final = 998  # RFC 5322, 2.1.1
_HALF_AN_ANSWER: Final = 480  # of the 1000 letters that an attempt keeps
_ACCEPTED_IN_FOLDER: Final = "written to the mail folder"
_ACCEPTED_ON_CONSOLE: Final = "printed on the console"


class _AsItStands(UnstructuredHeader, BaseHeader):
    """A header of one long word, neither folded nor encoded: whoever reads it decodes nothing (RFC 2369, RFC 8058)."""

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"


def _policy() -> "EmailPolicy[Any]":
    headers = HeaderRegistry()
    for name in ("list-unsubscribe", "x-pm-metadata-message-id"):
        headers.map_to_type(name, _AsItStands)
    return SMTP.clone(header_factory=headers)


_POLICY: Final = _policy()


class _WatchedFence:
    """The fence, which remembers whether the mail may have been offered to a server."""

    def __init__(self, fence: Fence) -> None:
        self._fence = fence
        self.was_passed = False

    def __call__(self) -> None:
        self._fence()
        self.was_passed = True


def send(outgoing: Outgoing, *, fence: Fence) -> str:
    """Hand the mail over and return what the server answered; raises `DeliveryFailed`."""
    mail = _compose(outgoing)
    first, second = MailServer(**settings.MAIL), settings.MAIL_FALLBACK
    if not second:
        return _hand_over(mail, outgoing, first, fence)
    watched = _WatchedFence(fence)
    try:
        return _named(first, lambda: _hand_over(mail, outgoing, first, watched))
    except (ServerDown, Unavailable) as failure:
        if watched.was_passed:
            raise
        return _after(failure.answer, MailServer(**second), lambda server: _hand_over(mail, outgoing, server, fence))


def _named(server: MailServer, attempt: Callable[[], str]) -> str:
    """Return the answer with the server's name before it; the same of a failure."""
    try:
        return f"{server.name}: {attempt()}"
    except DeliveryFailed as failure:
        failure.answer = f"{server.name}: {failure.answer}"
        raise


def _after(first_answer: str, server: MailServer, attempt: Callable[[MailServer], str]) -> str:
    """Return the second server's answer; a failure tells what was wrong with the first one too."""
    try:
        return _named(server, lambda: attempt(server))
    except DeliveryFailed as failure:
        failure.answer = f"{first_answer[:_HALF_AN_ANSWER]}; {failure.answer}"
        raise


def _hand_over(mail: EmailMessage, outgoing: Outgoing, server: MailServer, fence: Fence) -> str:
    if server.scheme == "console":
        fence()
        return _print(mail)
    if server.scheme == "folder":
        fence()
        return _write(mail, Path(server.folder), outgoing.message_id)
    try:
        with breaker(f"smtp:{server.host}:{server.port}", counts=(ServerDown,)):
            return transmit(_letter(mail), server, fence)
    except CircuitOpen as circuit:
        raise Unavailable(str(circuit)) from circuit


def _compose(outgoing: Outgoing) -> EmailMessage:
    """Return the mail; an address or a subject that would break out of its header is refused for good."""
    mail = EmailMessage(policy=_POLICY)
    try:
        mail["To"] = Address(addr_spec=_address_on_the_wire(outgoing.address))
        mail["From"] = settings.DEFAULT_FROM_EMAIL
        mail["Subject"] = outgoing.subject
    except (ValueError, IndexError, MessageError) as error:
        raise DeliveryFailed(f"not a usable address or subject: {error}", permanent=True) from None
    mail["Message-ID"] = outgoing.message_id
    mail["Date"] = format_datetime(timezone.now())
    mail["Auto-Submitted"] = "auto-generated"
    if outgoing.unsubscribe_url:
        # RFC 8058: the mail program's own button sends the second line to the address in the first.
        mail["List-Unsubscribe"] = f"<{outgoing.unsubscribe_url}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    if _goes_through_postmark():
        # Postmark gives each mail an id of its own, and tells of it by that; what stands here it tells along.
        mail["X-PM-KeepID"] = "true"
        mail["X-PM-Metadata-message-id"] = outgoing.message_id.strip("<>")
    mail.set_content(outgoing.text, cte=_transfer_encoding(outgoing.text))
    if outgoing.html:
        mail.add_alternative(outgoing.html, subtype="html", cte=_transfer_encoding(outgoing.html))
    return mail


def _goes_through_postmark() -> bool:
    hosts = (str(server.get("host", "")) for server in (settings.MAIL, settings.MAIL_FALLBACK))
    return any(host.endswith(".postmarkapp.com") for host in hosts)


def _address_on_the_wire(address: str) -> str:
    """Return the address with its domain in ASCII (IDNA); raises `ValueError` for one without a domain."""
    local_part, at, domain = address.rpartition("@")
    if not at:
        raise ValueError("the address has no domain")
    return f"{local_part}@{domain.encode('idna').decode()}"


def _transfer_encoding(text: str) -> str:
    """Return 7bit where the text allows it, so that links stay whole in the raw mail too."""
    fits = text.isascii() and all(len(line) <= _LONGEST_LINE for line in text.splitlines())
    return "7bit" if fits else "quoted-printable"


def _print(mail: EmailMessage) -> str:
    """Print the text part on the real standard output, past the log's redaction: this is how a developer gets it."""
    body = mail.get_body(("plain",))
    text = body.get_content() if body else ""
    stream = sys.__stdout__ or sys.stdout
    stream.write(f"\n--- mail to {mail['To']}: {mail['Subject']}\n{text}--- end of mail\n")
    stream.flush()
    return _ACCEPTED_ON_CONSOLE


def _write(mail: EmailMessage, folder: Path, message_id: str) -> str:
    """Write the mail as one `.eml` file named after its Message-ID, so that a second try replaces the first."""
    name = "".join(letter for letter in message_id if letter.isalnum() or letter in "-.@")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = folder / f".{name}.part"
        unfinished.write_bytes(mail.as_bytes())
        unfinished.replace(folder / f"{name}.eml")
    except OSError as error:
        raise DeliveryFailed(f"mail folder: {error.strerror}", permanent=False) from error
    return _ACCEPTED_IN_FOLDER


def _letter(mail: EmailMessage) -> Letter:
    return Letter(_only_address(mail["From"]), _only_address(mail["To"]), mail.as_bytes())


def _only_address(header: Any) -> str:
    return str(header.addresses[0].addr_spec)


def _timeout() -> float:
    return max(float(server.get("timeout", 1)) for server in (settings.MAIL, settings.MAIL_FALLBACK))


register_channel(
    Channel(
        "email",
        "E-mail",
        send,
        address_field="email",
        proof_for_many="email_verified",
        has_parts=True,
        timeout=_timeout,
    )
)
