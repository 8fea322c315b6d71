"""What kinds of jobs there are, and what a step of one gets and gives."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import IO, Any, Final
from uuid import UUID

from django.core.files.storage import default_storage

from core.jobs import files
from core.models import Job
from core.permissions import Caller
from core.queue import QUEUES


class JobFailed(Exception):  # it is a verdict, not an accident
    """Raised by a step that knows why the job cannot succeed: it ends there, and its owner reads the message."""

    def __init__(self, message: str, *, code: str = "failed") -> None:
        self.message = message
        self.code = code
        super().__init__(message)


@dataclass(slots=True)
class Work:
    """One step's view of its job; what it sets here is kept in the transaction that ends the step.

    `checkpoint` is JSON: whatever the next step has to know, also after this worker was killed.
    """

    job_id: UUID
    owner_id: UUID | None
    parameters: dict[str, Any]
    checkpoint: dict[str, Any]
    total: int | None = None
    done: int = 0
    failed: int = 0
    token_id: UUID | None = None
    """The personal access token that started the job, if one did."""

    opened: files.OpenFiles = field(default_factory=files.OpenFiles)

    @classmethod
    def on(cls, job: Job, opened: files.OpenFiles) -> "Work":
        """Return the work that is to be done next on `job`; `opened` is what the slice holds open."""
        return cls(
            job.id,
            job.owner_id,
            dict(job.parameters),
            dict(job.checkpoint),
            job.total,
            job.done,
            job.failed,
            job.token_id,
            opened,
        )

    def save(self, content: IO[bytes], *, name: str) -> str:
        """Store a file of this job, read from its present position on; return the name to keep in `checkpoint`.

        It goes with the job: when that is cancelled, or seven days after its end.
        """
        return files.save(self.job_id, content, name=name)

    def open(self, name: str) -> IO[bytes]:
        """Open a file that an earlier step has saved."""
        return default_storage.open(name)

    def share(self, name: str) -> IO[bytes]:
        """Return a file that stays open for the steps to come, as long as they are of this slice; not to be closed."""
        return self.opened.get(name)


@dataclass(frozen=True, slots=True)
class Done:
    """What the last step returns: the stored file that is the result, if there is one, and what to call it."""

    stored: str = ""
    filename: str = ""
    content_type: str = "application/octet-stream"


Step = Callable[[Work], Done | None]


def _anyone(caller: Caller) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class JobKind:
    """A kind of job: how it is worked off, and who is told of what."""

    name: str
    title: str
    step: Step
    queue: str
    in_transaction: bool
    tells_of: frozenset[str]
    may_fetch: Callable[[Caller], bool] = field(default=_anyone)


KINDS: Final[dict[str, JobKind]] = {}


def job_kind(
    name: str,
    *,
    title: str,
    queue: str = "bulk",
    in_transaction: bool = True,
    tells_of: Iterable[str] = (),
    may_fetch: Callable[[Caller], bool] = _anyone,
) -> Callable[[Step], Step]:
    """Make a function of `<app>/jobs.py` the step of a kind of job.

    It is called again and again, a few seconds of work at a time, until it returns a `Done`. By default each
    call is one transaction, which also keeps its checkpoint: what it writes is there once, whatever is killed
    when. `in_transaction=False` is for steps that only read, and write files: they may take longer, and a
    file that was written by a step that was killed goes with the job.

    `title` is what the owner reads ("Export of your data"). `tells_of` names the final states (`succeeded`,
    `failed`) of which the owner is told by mail. The link to the result is handed to the owner alone, and only
    when `may_fetch` says yes to the caller they are at the moment.
    """
    if queue not in QUEUES:
        raise ValueError(f"There is no queue {queue!r}; there are {', '.join(QUEUES)}.")

    def register(step: Step) -> Step:
        if name in KINDS and KINDS[name].step.__qualname__ != step.__qualname__:
            raise ValueError(f"There is a kind of job {name!r} already.")
        KINDS[name] = JobKind(name, title, step, queue, in_transaction, frozenset(tells_of), may_fetch)
        return step

    return register


def kind_of(name: str) -> JobKind:
    """Return the kind; LookupError when this release has none of that name."""
    try:
        return KINDS[name]
    except KeyError:
        raise LookupError(f"There is no kind of job {name!r}.") from None


def title_of(name: str) -> str:
    """Return what people call this kind of job."""
    return KINDS[name].title if name in KINDS else name
