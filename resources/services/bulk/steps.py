"""What a bulk consists of: steps, and what became of each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from core.errors import ApplicationError, Detail, PreconditionFailed
from resources.models import Resource
from resources.services.writing import Precondition, no_precondition

Known = Callable[[BaseException], ApplicationError | None]
"""What a caller is told of an error, or None for a fault of ours."""


@dataclass(frozen=True, slots=True)
class Step:
    """One operation: what is done, to which resource (none is made yet), with what."""

    op: str
    values: dict[str, Any]
    id: UUID | None = None
    version: int | None = None

    @property
    def precondition(self) -> Precondition:
        """Return what the version that was found has to pass."""
        if self.version is None:
            return no_precondition

        def require(version: int) -> None:
            if version != self.version:
                raise PreconditionFailed

        return require


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a step: the resource as it was written, or the error."""

    resource: Resource | None = None
    error: ApplicationError | None = None


Outcomes = dict[int, Outcome]
"""What became of steps, by their places."""


def placed(error: ApplicationError, place: int) -> ApplicationError:
    """Return the error with the place of its operation before every path; one without details gets one."""
    path = f"operations.{place}"
    details = error.details or (Detail(None, error.code.lower(), error.text),)
    error.details = tuple(
        Detail(f"{path}.{detail.field}" if detail.field else path, detail.code, detail.message) for detail in details
    )
    return error
