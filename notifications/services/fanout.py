"""Telling very many people: a job that works its way through them in chunks, each of which is one transaction.

The rows of a chunk and the place that was reached are kept together, so a worker that is killed loses and doubles
nothing; and each person is told once under the job's key, whatever happens.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import QuerySet

from core.errors import Detail, ValidationFailed
from core.events import publish
from core.jobs import Done, JobFailed, Work, create_job
from core.models import Job
from core.permissions import Caller
from core.standing import caller_now
from notifications.kinds import KINDS, Kind
from notifications.services.notifying import News, notify_many
from notifications.services.releasing import promise_release

JOB_KIND: Final = "notifications.send"
PERMISSION: Final = "send:notification"
CHUNK: Final = 5_000
MOST_NAMED: Final = 10_000
"""How many people can be named one by one."""

_LONGEST: Final[dict[str, int]] = {"title": 200, "link": 2000}
_LONGEST_OTHER: Final = 5_000


@dataclass(frozen=True, slots=True)
class Recipients:
    """To whom: these users, or those of a role, or everybody; who is disabled or deleted is in none of them."""

    users: tuple[UUID, ...] = ()
    role: str = ""
    everybody: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return it as a job's parameters keep it."""
        return {"users": [str(user) for user in self.users], "role": self.role, "all": self.everybody}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Recipients":
        """Return what `as_json` wrote down."""
        return cls(tuple(UUID(user) for user in kept["users"]), kept["role"], kept["all"])

    def people(self) -> QuerySet[Any]:
        """Return the users that are meant at this moment."""
        everyone = get_user_model()._default_manager.filter(is_active=True)
        if self.everybody:
            return everyone
        return everyone.filter(role__name=self.role) if self.role else everyone.filter(pk__in=self.users)

    def unconfirmed(self) -> int:
        """Return how many of them get no mail, because they have not confirmed their address."""
        return self.people().filter(email_verified=False).count()


@transaction.atomic
def send_to_many(*, actor: Caller, kind: str, context: Mapping[str, str], to: Recipients) -> Job:
    """Promise a job that tells these people; raises `ValidationFailed` for what cannot be sent by hand."""
    sort = _sendable(kind)
    _refuse_wrong_data(sort, context)
    _refuse_unknown_role(to)
    total = to.people().count()
    job = create_job(
        JOB_KIND,
        actor=actor,
        parameters={"kind": kind, "context": dict(context), "to": to.as_json(), "by": str(actor.id or "")},
        total=total,
    )
    told = {"kind": kind, "role": to.role, "all": to.everybody, "users": len(to.users), "people": total}
    publish("notification.sent_to_many", subject=job, actor=actor, data=told)
    return job


def tell_chunk(work: Work) -> Done | None:
    """Tell the next chunk of people, in the transaction that also keeps how far it is; `Done` after the last."""
    parameters = work.parameters
    _refuse_who_may_no_longer(work)
    rest = Recipients.from_json(parameters["to"]).people().order_by("pk")
    if "after" in work.checkpoint:
        rest = rest.filter(pk__gt=work.checkpoint["after"])
    last = rest.values_list("pk", flat=True)[CHUNK - 1 : CHUNK].first()
    chunk = rest.order_by() if last is None else rest.order_by().filter(pk__lte=last)
    news = News(parameters["kind"], parameters["context"], dedup_key=f"job:{work.job_id}")
    work.done += chunk.count() if last is None else CHUNK
    work.checkpoint["told"] = work.checkpoint.get("told", 0) + notify_many(news, to=chunk)
    promise_release()
    if last is None:
        return Done()
    work.checkpoint["after"] = str(last)
    return None


def _refuse_who_may_no_longer(work: Work) -> None:
    """Raise `JobFailed` where whoever asked has lost the right since, is gone, or came with a token that has ended.

    What the system does needs no right.
    """
    user_id = work.parameters.get("by", "")
    if not user_id:
        return
    sender = caller_now(user_id=UUID(user_id), token_id=work.token_id)
    if sender is None or not sender.holds(PERMISSION):
        raise JobFailed("Whoever asked for this may not do it any more.", code="permission_denied")


def _sendable(code: str) -> Kind:
    kind = KINDS.get(code)
    if kind is None or not kind.by_hand:
        by_hand = ", ".join(sorted(kind.code for kind in KINDS.values() if kind.by_hand))
        raise ValidationFailed.of("kind", "unknown", f"Only these are sent by hand: {by_hand}.")
    return kind


def _refuse_wrong_data(kind: Kind, context: Mapping[str, str]) -> None:
    details = [Detail(f"data.{name}", "required", "This has to be given.") for name in kind.required - context.keys()]
    for name, value in context.items():
        if name not in kind.variables:
            details.append(Detail(f"data.{name[:100]}", "unknown_field", "There is no such field."))
        elif len(value) > _LONGEST.get(name, _LONGEST_OTHER):
            details.append(Detail(f"data.{name}", "max_length", "This is too long."))
        elif name in kind.required and not value.strip():
            details.append(Detail(f"data.{name}", "blank", "This may not be empty."))
        elif name == "link" and value and not _is_web_address(value):
            details.append(Detail("data.link", "invalid", "Give an address that begins with https:// or http://."))
    if details:
        raise ValidationFailed(details=sorted(details, key=lambda detail: detail.field or ""))


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and not any(mark in text for mark in " \"'<>")


def _refuse_unknown_role(to: Recipients) -> None:
    if to.role:
        roles = get_user_model()._meta.get_field("role").related_model
        if not roles._default_manager.filter(name=to.role).exists():
            raise ValidationFailed.of("to.role", "unknown", "There is no such role.")
