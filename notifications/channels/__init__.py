"""The ways a message leaves the house; each module here is the only importer of its outside world.

A channel is a function that hands one rendered message over, registered under a code:

    register_channel(Channel("pager", "Pager", send, address_field="phone"))

It returns what the other side answered, and raises `DeliveryFailed` when that was a no: retries, attempts, states and
dead letters are the delivery's, not the channel's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Protocol, TypeAlias

from django.db.models import Case, F, When


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A rendered message, ready for a channel; `message_id` is the same on every try."""

    message_id: str
    address: str
    subject: str
    text: str
    html: str = ""
    unsubscribe_url: str = ""
    """Where one click switches messages of this kind off, without a sign-in; empty where they cannot be."""
    attempt: int = 1
    """Which try this is, for those whom the other side tells of it afterwards."""


class DeliveryFailed(Exception):
    """The other side did not take the message; only a failure that is not `permanent` is tried again."""

    def __init__(
        self, answer: str, *, permanent: bool, retry_after: timedelta | None = None, lists_as: str = ""
    ) -> None:
        super().__init__(answer)
        self.answer = answer
        self.permanent = permanent
        self.retry_after = retry_after
        """How long the other side asks to be left alone."""
        self.lists_as = lists_as
        """For which reason (`notifications.models.suppressions`) its address is told nothing more; empty for none."""


class ServerDown(DeliveryFailed):
    """The other side cannot be reached or hangs: nothing against this message, and a reason to leave it alone."""

    def __init__(self, answer: str) -> None:
        super().__init__(answer, permanent=False)


Fence: TypeAlias = Callable[[], None]
"""Called by a channel right before the step that cannot be taken back; raises when another worker has taken over."""


class Send(Protocol):
    """Hands one message over and returns what the other side answered; raises `DeliveryFailed`."""

    def __call__(self, outgoing: Outgoing, *, fence: Fence) -> str: ...


def _ten_seconds() -> float:
    return 10.0


@dataclass(frozen=True, slots=True)
class Channel:
    """One way out.

    `address_field` names the column of the user that holds where they are reached (by nothing, where it is empty or
    null), `proof_field` the one that says whether that is proved, `proof_for_many` the one without which nothing goes
    there that goes to many; a channel that keeps addresses of its own gives `address`, an expression over users,
    instead. A channel that `has_parts` is sent the templates of mail: subject, text, HTML; one that `shows_inbox_text`
    the title and the text of the inbox; any other one text, `templates/<code>/<kind>.txt`.
    """

    code: str
    title: str
    send: Send
    address_field: str = ""
    proof_field: str = ""
    proof_for_many: str = ""
    has_parts: bool = False
    shows_inbox_text: bool = False
    address: Callable[[], Any] | None = None
    timeout: Callable[[], float] = _ten_seconds
    """How long each of its socket operations takes at most."""

    def reached_at(self, *, by_many: bool = False) -> Any:
        """Return where a user is reached, as an expression over users: nothing, where they are not."""
        if self.address is not None:
            return self.address()
        address = F(self.address_field)
        proof = self.proof_field or (self.proof_for_many if by_many else "")
        return Case(When(**{proof: True}, then=address)) if proof else address


CHANNELS: Final[dict[str, Channel]] = {}


def register_channel(channel: Channel) -> Channel:
    """Add a way out; raises `ValueError` for a code that is taken."""
    if CHANNELS.setdefault(channel.code, channel) != channel:
        raise ValueError(f"There is a channel {channel.code!r} already.")
    return channel
