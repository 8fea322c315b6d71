"""The ways a message leaves the house; each module here is the only importer of its outside world."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A rendered message, ready for a channel; `message_id` is the same on every try."""

    message_id: str
    address: str
    subject: str
    text: str
    html: str = ""


class DeliveryFailed(Exception):
    """The other side did not take the message; only a failure that is not `permanent` is tried again."""

    def __init__(self, answer: str, *, permanent: bool, retry_after: timedelta | None = None) -> None:
        super().__init__(answer)
        self.answer = answer
        self.permanent = permanent
        self.retry_after = retry_after
        """How long the other side asks to be left alone."""


class ServerDown(DeliveryFailed):
    """The other side cannot be reached or hangs: nothing against this message, and a reason to leave it alone."""

    def __init__(self, answer: str) -> None:
        super().__init__(answer, permanent=False)


Fence: TypeAlias = Callable[[], None]
"""Called by a channel right before the step that cannot be taken back; raises when another worker has taken over."""
