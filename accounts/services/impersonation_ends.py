"""The end of an impersonation: noted on its row and in the log, and its session ended with it."""

from datetime import UTC, datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q, QuerySet

from accounts.identity import forget_session
from accounts.models import Impersonation, Session
from core.events import publish
from core.permissions import SYSTEM, Caller

_KEPT: Final = timedelta(days=365)


def end_with_session(session: Session, *, actor: Caller, reason: str) -> None:
    """End, in the transaction at hand, what is done from this session, or in it."""
    _end(Impersonation.objects.filter(Q(session=session) | Q(administrator_session=session)), actor, reason)


def end_where_not_permitted(*, actor: Caller, reason: str) -> int:
    """End, in the transaction at hand, those that a change of roles has made impossible; return how many.

    None of them served any more: what `live()` leaves out is refused everywhere.
    """
    live = Impersonation.objects.live().values("pk")
    return _end(Impersonation.objects.exclude(pk__in=live), actor, reason)


@transaction.atomic
def end_overdue_impersonations() -> int:
    """Note the end of those whose time is up; return how many."""
    return end_where_not_permitted(actor=SYSTEM, reason="time")


def purge_impersonations() -> int:
    """Delete the rows that ended more than a year ago (the event log keeps its own); return how many."""
    return Impersonation.objects.filter(ended_at__lt=datetime.now(UTC) - _KEPT).delete()[0]


def end_one(impersonation: Impersonation, *, actor: Caller, reason: str) -> bool:
    """End this one, in the transaction at hand; return whether it was open."""
    return _end(Impersonation.objects.filter(pk=impersonation.pk), actor, reason) == 1


def _end(chosen: QuerySet[Impersonation], actor: Caller, reason: str) -> int:
    now = datetime.now(UTC)
    # Sessions before stays, as everyone does who ends a session: two orders would wait for each other.
    sessions = list(chosen.filter(ended_at=None).values_list("session_id", flat=True))
    if not sessions:
        return 0
    list(Session.objects.select_for_update().filter(pk__in=sessions).order_by("pk"))
    found = list(chosen.filter(ended_at=None).select_for_update(of=("self",)).select_related("session").order_by("pk"))
    for impersonation in found:
        impersonation.ended_at = min(now, impersonation.until)
        impersonation.end_reason = "time" if impersonation.until <= now else reason
        impersonation.save(update_fields=["ended_at", "end_reason"])
        _revoke(impersonation.session, actor, now)
        publish(
            "impersonation.ended",
            subject=impersonation,
            actor=actor,
            data={"reason": impersonation.end_reason, "user": str(impersonation.user_id)},
            audience=[impersonation.user_id],
        )
    return len(found)


def _revoke(session: Session | None, actor: Caller, now: datetime) -> None:
    if session is None or session.revoked_at is not None:
        return
    Session.objects.filter(pk=session.pk, revoked_at=None).update(revoked_at=now, revoke_reason="support_ended")
    publish(
        "session.revoked",
        subject=session,
        actor=actor,
        data={"reason": "support_ended"},
        audience=[session.user_id],
    )
    forget_session(session.pk)
