"""Acting as somebody else: administrators only, for a reason, for an hour at most, and the user is told."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db.models import Q

from accounts.models import Impersonation, Session, User
from accounts.services.impersonation_ends import end_one, end_overdue_impersonations
from accounts.services.mails import tell
from accounts.services.sessions import access_token_for, require_recent_sign_in
from accounts.tokens import REFRESH_PREFIX, digest
from core.crypto import random_token
from core.errors import Conflict, NotFound, PermissionDenied, SessionRevoked, ValidationFailed
from core.events import publish
from core.permissions import ADMIN, Caller
from core.transactions import atomic

SHORTEST: Final = 5
LONGEST: Final = 60
REASON_LENGTH: Final = 300


@dataclass(frozen=True, slots=True)
class Stay:
    """What has been begun, and the access token that serves as long as it lasts; it is kept nowhere."""

    impersonation: Impersonation
    access_token: str


def start_impersonation(*, actor: Caller, user_id: UUID, reason: str, minutes: int) -> Stay:
    """Let the administrator `actor` act as a user who is none, from the session they are signed in with.

    Raises `PermissionDenied`, `ReauthenticationRequired`, `ValidationFailed`, `NotFound`, and `Conflict` for a
    disabled user and for an administrator who is acting as somebody already.
    """
    if actor.impersonated_by is not None or not actor.holds(ADMIN):
        raise PermissionDenied
    require_recent_sign_in(actor)
    _refuse_wrong_terms(reason, minutes)
    end_overdue_impersonations()
    return _start(actor, user_id, reason.strip(), timedelta(minutes=minutes))


@atomic
def end_impersonation(*, actor: Caller, impersonation_id: UUID) -> None:
    """End one, for who began it and for every administrator; ended before, it stays so. Raises `NotFound`."""
    impersonation = Impersonation.objects.filter(pk=impersonation_id).first()
    own = (actor.id, actor.impersonated_by)
    if impersonation is None or not (actor.holds(ADMIN) or impersonation.administrator_id in own):
        raise NotFound
    end_one(impersonation, actor=actor, reason="stopped")


def live_impersonation(*, impersonation_id: UUID, session_id: UUID) -> Impersonation | None:
    """Return what was begun from this session of an administrator, while it lasts."""
    return (
        Impersonation.objects.live()
        .select_related("administrator", "user__role")
        .filter(pk=impersonation_id, administrator_session_id=session_id)
        .first()
    )


def _refuse_wrong_terms(reason: str, minutes: int) -> None:
    if not reason.strip() or len(reason) > REASON_LENGTH:
        raise ValidationFailed.of("reason", "invalid", f"Say why, in 1 to {REASON_LENGTH} characters.")
    if not SHORTEST <= minutes <= LONGEST:
        raise ValidationFailed.of("minutes", "invalid", f"Choose {SHORTEST} to {LONGEST} minutes.")


@atomic
def _start(actor: Caller, user_id: UUID, reason: str, duration: timedelta) -> Stay:
    # Locked in one order, whoever acts as whom.
    people = {user.pk: user for user in User.objects.locked().filter(pk__in=[actor.own_id, user_id]).order_by("pk")}
    administrator, user = people.get(actor.own_id), people.get(user_id)
    if user is None:
        raise NotFound
    own_session = Session.objects.live().filter(Q(pk=actor.session_id), user_id=actor.own_id).first()
    if administrator is None or own_session is None:
        raise SessionRevoked
    _refuse_wrong_people(administrator, user)
    until = datetime.now(UTC) + duration
    session = _open_session(administrator, own_session, user, until)
    impersonation = Impersonation.objects.create(
        administrator=administrator,
        administrator_session=own_session,
        user=user,
        session=session,
        reason=reason,
        until=until,
    )
    _announce(actor, impersonation, duration)
    return Stay(impersonation, access_token_for(session, user))


def _refuse_wrong_people(administrator: User, user: User) -> None:
    if not administrator.is_active or ADMIN not in administrator.permission_set:
        raise PermissionDenied
    if user.pk == administrator.pk:
        raise Conflict("This is you.")
    if ADMIN in user.permission_set:
        raise PermissionDenied("Nobody acts as an administrator.")
    if not user.is_active:
        raise Conflict("This account is disabled.")
    present = Impersonation.objects.open().select_related("user").filter(administrator=administrator).first()
    if present is not None:
        raise Conflict(f"You act as {present.user} until {present.until:%H:%M} UTC; stop that first.")


def _open_session(administrator: User, own_session: Session, user: User, until: datetime) -> Session:
    """Return a session of the user, as they will see it; its refresh token is drawn and thrown away."""
    by = f"Support: {administrator.name[:60]} ({settings.SITE_NAME[:20]} staff)"
    now = datetime.now(UTC)
    return Session.objects.create(
        user=user,
        impersonated_by=administrator,
        token=digest(random_token(REFRESH_PREFIX)),
        expires_at=until,
        authenticated_at=now,
        last_seen_at=now,
        amr=own_session.amr,
        device=by[:100],
    )


def _announce(actor: Caller, impersonation: Impersonation, duration: timedelta) -> None:
    user, minutes = impersonation.user, int(duration.total_seconds() // 60)
    publish(
        "impersonation.started",
        subject=impersonation,
        actor=actor,
        data={"user": str(user.pk), "reason": impersonation.reason, "minutes": minutes},
        audience=[user.pk],
    )
    tell(
        user,
        "account.support_access",
        administrator=actor.name,
        reason=impersonation.reason,
        until=f"{impersonation.until:%d %B %Y, %H:%M} UTC",
    )
