"""Access reviews: one row per user of what they may do and when they last did, and the mark on it."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import Max, Q

from accounts.access_registry import REGISTERED, cells_of
from accounts.models import AccessReview, ApiToken, Connection, Session, User
from core.errors import NotFound, PermissionDenied, ValidationFailed
from core.events import publish
from core.permissions import ADMIN, Caller
from core.times import rfc3339
from core.transactions import atomic

CHUNK: Final = 500
IDLE: Final = timedelta(days=90)
NOTE_LENGTH: Final = 500
_KEPT: Final = timedelta(days=3 * 365)

Row = dict[str, str | int]

_OWN_COLUMNS: Final = (
    *("email", "name", "state", "role", "permissions", "mfa", "connections", "live_sessions", "live_api_tokens"),
    *("api_token_scopes", "last_sign_in_at", "last_used_at", "last_review_at", "last_reviewed_by", "last_review_note"),
)


def columns() -> tuple[str, ...]:
    """Return the names of all columns: those of accounts, then what the other apps have registered."""
    return (*_OWN_COLUMNS, *(name for registered in REGISTERED for name in registered.names))


def access_rows() -> Iterator[Row]:
    """Yield a row for each user that is not deleted, in the order of their creation.

    A fixed number of queries for every 500 users, who are forgotten before the next are read.
    """
    after = UUID(int=0)
    while chunk := list(User.objects.select_related("role").filter(pk__gt=after).order_by("pk")[:CHUNK]):
        yield from rows_of(chunk)
        after = chunk[-1].pk


def rows_of(users: Sequence[User]) -> Iterator[Row]:
    """Yield the row of each of these users."""
    ids = [user.pk for user in users]
    sessions, tokens, connections, reviews = _sessions(ids), _tokens(ids), _connections(ids), _reviews(ids)
    more = cells_of(ids)
    for user in users:
        live_sessions, seen_at = sessions.get(user.pk, (0, None))
        scopes, token_used_at = tokens.get(user.pk, ([], None))
        used = [moment for moment in (user.last_login_at, seen_at, token_used_at) if moment is not None]
        review = reviews.get(user.pk)
        yield {
            "email": user.email,
            "name": user.name,
            "state": state_of(user),
            "role": user.role_name,
            "permissions": " ".join(sorted(user.permission_set)),
            "mfa": "yes" if user.mfa_enabled else "no",
            "connections": " ".join(connections.get(user.pk, [])),
            "live_sessions": live_sessions,
            "live_api_tokens": len(scopes),
            "api_token_scopes": "; ".join(scopes),
            "last_sign_in_at": rfc3339(user.last_login_at) if user.last_login_at else "",
            "last_used_at": rfc3339(max(used)) if used else "",
            "last_review_at": rfc3339(review.created_at) if review else "",
            "last_reviewed_by": str(review.reviewed_by or "") if review else "",
            "last_review_note": review.note if review else "",
            **more[user.pk],
        }


def state_of(user: User) -> str:
    """Return what stands between the user and signing in: `ready`, `invited`, `unconfirmed` or `disabled`."""
    if not user.is_active:
        return "disabled"
    if user.last_login_at is None and not user.has_usable_password():
        return "invited"
    return "ready" if user.email_verified else "unconfirmed"


def idle_since(moment: datetime) -> Q:
    """Return the condition that a user has done nothing since: neither signed in nor used a session or a token."""
    seen = Session.objects.filter(last_seen_at__gte=moment).values("user")
    used = ApiToken.objects.filter(last_used_at__gte=moment).values("user")
    signed_in = Q(last_login_at__gte=moment)
    return ~signed_in & ~Q(pk__in=seen) & ~Q(pk__in=used)


def concerns(now: datetime) -> dict[str, tuple[str, Q]]:
    """Return what a reviewer looks for: by name, in words, and as a condition on users."""
    before = now - IDLE
    unused = ApiToken.objects.live().filter(created_at__lt=before)
    unused = unused.filter(Q(last_used_at=None) | Q(last_used_at__lt=before))
    reviewed = AccessReview.objects.filter(created_at__gte=before).values("user")
    admin = Q(role__permissions__contains=[ADMIN])
    return {
        "never": ("Never signed in", Q(last_login_at=None)),
        "idle": ("Idle for 90 days", Q(last_login_at__isnull=False) & idle_since(before)),
        "admin": ("Administrator without MFA", admin & Q(mfa_enabled=False)),
        "tokens": ("Tokens unused for 90 days", Q(pk__in=unused.values("user"))),
        "due": ("Not reviewed for 90 days", ~Q(pk__in=reviewed)),
    }


@atomic
def mark_reviewed(*, actor: Caller, user_id: UUID, note: str = "") -> AccessReview:
    """Note that the actor looked at what the user may do; raises `PermissionDenied`, `NotFound`, `ValidationFailed`."""
    if not actor.holds(ADMIN):
        raise PermissionDenied
    if len(note) > NOTE_LENGTH:
        raise ValidationFailed.of("note", "max_length", f"A note has {NOTE_LENGTH} characters at most.")
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        raise NotFound
    review = AccessReview.objects.create(user=user, reviewed_by_id=actor.impersonated_by or actor.id, note=note.strip())
    publish("access.reviewed", subject=user, actor=actor, data={"review": str(review.pk)})
    return review


def purge_access_reviews() -> int:
    """Delete the marks that are older than three years (the event log keeps its own); return how many."""
    return AccessReview.objects.filter(created_at__lt=datetime.now(UTC) - _KEPT).delete()[0]


def _sessions(ids: list[UUID]) -> dict[UUID, tuple[int, datetime | None]]:
    live: dict[UUID, int] = {}
    for user_id in Session.objects.live().filter(user__in=ids).values_list("user", flat=True):
        live[user_id] = live.get(user_id, 0) + 1
    own = Session.objects.filter(user__in=ids, impersonated_by=None)
    seen = own.order_by().values_list("user").annotate(at=Max("last_seen_at"))
    return {user_id: (live.get(user_id, 0), at) for user_id, at in seen}


def _tokens(ids: list[UUID]) -> dict[UUID, tuple[list[str], datetime | None]]:
    """Return the scopes of each live token, and when any token was last used."""
    found: dict[UUID, tuple[list[str], datetime | None]] = {}
    rows: Any = ApiToken.objects.filter(user__in=ids).order_by("created_at")
    live = set(ApiToken.objects.live().filter(user__in=ids).values_list("pk", flat=True))
    for user_id, key, scopes, used_at in rows.values_list("user", "pk", "scopes", "last_used_at"):
        known, last = found.get(user_id, ([], None))
        if key in live:
            known = [*known, " ".join(scopes)]
        found[user_id] = (known, max(filter(None, (last, used_at)), default=None))
    return found


def _connections(ids: list[UUID]) -> dict[UUID, list[str]]:
    found: dict[UUID, list[str]] = {}
    rows = Connection.objects.filter(user__in=ids).order_by("provider").values_list("user", "provider")
    for user_id, provider in rows:
        found.setdefault(user_id, []).append(provider)
    return found


def _reviews(ids: list[UUID]) -> dict[UUID, AccessReview]:
    newest = AccessReview.objects.filter(user__in=ids).order_by("user", "-created_at").distinct("user")
    return {review.user_id: review for review in newest.select_related("reviewed_by")}
