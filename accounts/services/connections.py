"""Connections: the accounts at providers that open an account here; who gets one, and how it is taken away.

An address joins a connection to an account only when both sides vouch for it: the provider says that it is this
person's, and here its owner has confirmed it. Everything else would let whoever came first wait for the owner.
"""

from datetime import UTC, datetime
from uuid import UUID

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils.crypto import get_random_string

from accounts.models import Connection, User
from accounts.providers.identities import ProvenIdentity
from accounts.providers.table import name_of
from accounts.services.administration import refuse_more_than_held
from accounts.services.mails import origin, tell, tell_sparingly, tell_with_link
from accounts.services.registration import answer_owner, insert_account, mark_verified
from accounts.services.sessions import locked_owner, refuse_unready, require_recent_sign_in
from accounts.services.sign_in_methods import keep_a_sign_in_method, sign_in_method
from accounts.services.single_use_tokens import VERIFY_EMAIL
from core.errors import AccountDisabled, Conflict, Detail, EmailNotVerified, NotFound, ValidationFailed
from core.events import publish
from core.permissions import Caller

_TRIES = 3


def user_of(identity: ProvenIdentity) -> User:
    """Return the user whom this identity signs in, who may be made or connected by it.

    Raises `EmailNotVerified`, `AccountDisabled`, `Conflict` (an account that its owner has not confirmed has the
    address) and `ValidationFailed` (there is no address to make an account with).
    """
    for _ in range(_TRIES):
        try:
            user = _known(identity) or _newcomer(identity)
        except IntegrityError:
            # A twin of this request was faster; what it made is found the next time.
            continue
        refuse_unready(user)
        return user
    raise Conflict


def connect(*, actor: Caller, identity: ProvenIdentity) -> Connection:
    """Let this identity sign the actor in from now on; what is connected already stays so.

    Raises `Conflict` when it signs somebody else in.
    """
    for _ in range(_TRIES):
        try:
            return _connect(actor, identity)
        except IntegrityError:
            continue
    raise Conflict


@transaction.atomic
def disconnect(*, actor: Caller, connection_id: UUID) -> None:
    """Remove one of the actor's own connections.

    Raises `ReauthenticationRequired`, `NotFound`, or `Conflict` for the last way to sign in.
    """
    require_recent_sign_in(actor)
    user = locked_owner(actor)
    _remove(Connection.objects.filter(user=user, pk=connection_id).first(), user, actor)


@transaction.atomic
def disconnect_for(*, actor: Caller, connection_id: UUID) -> None:
    """Remove somebody's connection, for staff; raises `NotFound`, `PermissionDenied` or `Conflict`."""
    found = Connection.objects.filter(pk=connection_id, user__deleted_at=None).first()
    if found is None:
        raise NotFound
    user = User.objects.locked().get(pk=found.user_id)
    refuse_more_than_held(actor, user.permission_set)
    _remove(Connection.objects.filter(pk=connection_id).first(), user, actor)


@sign_in_method("connection")
def _connections(user: User) -> int:
    return Connection.objects.filter(user=user).count()


@transaction.atomic
def _known(identity: ProvenIdentity) -> User | None:
    connection = _find(identity)
    if connection is None or connection.user.deleted_at is not None:
        return None
    Connection.objects.filter(pk=connection.pk).update(last_used_at=Now())
    return connection.user


def _newcomer(identity: ProvenIdentity) -> User:
    """Return the user that an identity nobody has connected belongs to from now on."""
    if not identity.email:
        message = f"{name_of(identity.provider)} gave no e-mail address; allow it there, or register with a password."
        raise ValidationFailed.of(None, "email_missing", message)
    user = _admit(identity)
    if user is None:
        # What anybody is told whose address the provider did not verify, so that this tells nothing of the account.
        raise EmailNotVerified
    if identity.email_verified and not user.email_verified:
        raise _unconfirmed(identity)
    return user


@transaction.atomic
def _admit(identity: ProvenIdentity) -> User | None:
    """Connect the account with this address, or a new one; None when the address is not proven to be this person's.

    An account that its owner has not confirmed is left alone: whoever made it may be a stranger.
    """
    _forget_connection_of_deleted_user(identity)
    owner = User.objects.locked().filter(email=identity.email).first()
    if owner is None:
        return _sign_up(identity)
    if not identity.email_verified:
        publish("user.registration_repeated", subject=owner, actor=Caller(None), audience=[owner.pk])
        tell_sparingly(owner, "account.email_taken")
        return None
    if not owner.email_verified:
        answer_owner(email=identity.email)
        return owner
    if not owner.is_active:
        raise AccountDisabled
    connection = _insert(owner, identity, Caller.of(owner), how="verified_email")
    _tell(owner, connection, "connected to")
    return owner


def _sign_up(identity: ProvenIdentity) -> User:
    created = insert_account(identity.email, UNUSABLE_PASSWORD_PREFIX + get_random_string(40), identity.name)
    user = User.objects.select_related("role").get(pk=created.pk)
    _insert(user, identity, Caller.of(user), how="sign_up")
    if identity.email_verified:
        mark_verified(user, actor=Caller.of(user))
    else:
        tell_with_link(user, "account.verify_email", purpose=VERIFY_EMAIL)
    return user


@transaction.atomic
def _connect(actor: Caller, identity: ProvenIdentity) -> Connection:
    user = locked_owner(actor)
    _forget_connection_of_deleted_user(identity)
    found = _find(identity)
    if found is not None and found.user_id != user.pk:
        raise _taken(identity)
    if found is not None:
        return found
    connection = _insert(user, identity, actor, how="connected")
    _tell(user, connection, "connected to")
    return connection


def _find(identity: ProvenIdentity) -> Connection | None:
    found = Connection.objects.select_related("user__role").filter(
        provider=identity.provider, issuer=identity.issuer, subject=identity.subject
    )
    return found.first()


def _forget_connection_of_deleted_user(identity: ProvenIdentity) -> None:
    """Free the identity when the account it opened is in the bin: its address is free as well."""
    found = _find(identity)
    if found is not None and found.user.deleted_at is not None:
        _announce("connection.removed", found, Caller(None), reason="user_deleted")
        found.delete()


def _insert(user: User, identity: ProvenIdentity, actor: Caller, *, how: str) -> Connection:
    connection = Connection.objects.create(
        user=user,
        provider=identity.provider,
        issuer=identity.issuer,
        subject=identity.subject,
        email=identity.email,
        last_used_at=datetime.now(UTC),
    )
    connection.refresh_from_db(fields=["created_at"])
    _announce("connection.created", connection, actor, how=how)
    return connection


def _remove(connection: Connection | None, user: User, actor: Caller) -> None:
    if connection is None:
        raise NotFound
    _announce("connection.removed", connection, actor, reason="removed")
    _tell(user, connection, "removed from")
    Connection.objects.filter(pk=connection.pk).delete()
    keep_a_sign_in_method(user)


def _announce(type: str, connection: Connection, actor: Caller, **data: str) -> None:
    data |= {"provider": connection.provider}
    publish(type, subject=connection, actor=actor, data=data, audience=[connection.user_id])


def _tell(user: User, connection: Connection, change: str) -> None:
    tell(user, "account.connection_changed", provider=name_of(connection.provider), change=change, **origin())


def _taken(identity: ProvenIdentity) -> Conflict:
    message = f"This account at {name_of(identity.provider)} signs somebody else in already."
    return Conflict(message, details=[Detail(None, "connection_taken", message)])


def _unconfirmed(identity: ProvenIdentity) -> Conflict:
    message = (
        "An account with this e-mail address was never confirmed. "
        f"We have written to the address: set a new password, then sign in with {name_of(identity.provider)}."
    )
    return Conflict(message, details=[Detail(None, "account_unconfirmed", message)])
