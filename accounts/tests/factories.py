"""Valid neighbours: users in a role, and signed-in sessions of theirs."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from django.contrib.auth.hashers import make_password

from accounts.models import ApiToken, Connection, Role, Session, User
from accounts.services.impersonation import Stay, start_impersonation
from accounts.tokens import API_PREFIX, REFRESH_PREFIX, AccessToken, digest
from core.crypto import random_token
from core.permissions import Caller

PASSWORD = "correct-horse-battery-staple"

_numbers = count(1)


def create_user(role: str = "user", **fields: Any) -> User:
    """Return a new verified user whose password is `PASSWORD`."""
    values = {
        "email": f"person-{next(_numbers)}@example.com",
        "name": "A Person",
        "password": make_password(PASSWORD),
        "email_verified": True,
        **fields,
    }
    return User.objects.create(role=Role.objects.get(name=role), **values)


def create_session(user: User, *, authenticated_at: datetime | None = None) -> Session:
    """Return a new live session of `user`."""
    return Session.objects.create(
        user=user,
        token=digest(random_token(REFRESH_PREFIX)),
        expires_at=datetime.now(UTC) + timedelta(days=30),
        authenticated_at=authenticated_at or datetime.now(UTC),
    )


def create_connection(user: User, **fields: Any) -> Connection:
    """Return a new connection of `user` to an account at GitHub."""
    values = {"provider": "github", "issuer": "https://github.com", "subject": str(next(_numbers)), **fields}
    return Connection.objects.create(user=user, email=user.email, **values)


def start_stay(administrator: User, user: User) -> Stay:
    """Return a new impersonation of `user`, as the page of the admin begins one."""
    session = create_session(administrator)
    actor = replace(Caller.of(administrator), session_id=session.pk, authenticated_at=session.authenticated_at)
    return start_impersonation(actor=actor, user_id=user.pk, reason="Ticket 4711", minutes=5)


def access_token_of(session: Session) -> str:
    """Return an access token of `session`, as a sign-in would have answered."""
    return str(AccessToken.of(session, session.user, authenticated_at=session.authenticated_at))


def create_api_token_of(user: User, *scopes: str, **fields: Any) -> tuple[ApiToken, str]:
    """Return a new live personal access token of `user` (`read:resource` if no scope is named), and its secret."""
    secret = random_token(API_PREFIX)
    values = {
        "name": f"Script {next(_numbers)}",
        "token": digest(secret),
        "prefix": secret[:9],
        "scopes": sorted(scopes) or ["read:resource"],
        "expires_at": datetime.now(UTC) + timedelta(days=30),
        **fields,
    }
    return ApiToken.objects.create(user=user, **values), secret
