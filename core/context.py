"""What travels with a piece of work: request id, trace, address; set at the edge, read by logs, events and jobs."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class WorkContext:
    """The identifiers of the request (or job) at hand; empty outside one."""

    request_id: str = ""
    traceparent: str = ""
    ip: str | None = None
    user_agent: str = ""

    @property
    def trace_id(self) -> str:
        """Return the trace id: the second field of `traceparent` (W3C Trace Context), else the request id."""
        parts = self.traceparent.split("-")
        return parts[1] if len(parts) == 4 else self.request_id


_current: ContextVar[WorkContext] = ContextVar("work_context", default=WorkContext())  # noqa: B039  # frozen


def current() -> WorkContext:
    """Return the context of the work at hand."""
    return _current.get()


@contextmanager
def working(context: WorkContext) -> Iterator[None]:
    """Make `context` the current one for the block."""
    token = _current.set(context)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def annotated(**changes: Any) -> Iterator[None]:
    """Change some fields of the current context for the block."""
    with working(replace(_current.get(), **changes)):
        yield
