"""The bin of accounts: what going in and coming back have in common, whoever asked for it."""

from accounts.models import User
from accounts.services.api_tokens import end_api_tokens
from accounts.services.sessions import end_sessions
from accounts.services.single_use_tokens import (
    CHANGE_EMAIL,
    DATA_EXPORT,
    RESET_PASSWORD,
    RESTORE_ACCOUNT,
    VERIFY_EMAIL,
    void_tokens,
)
from core.events import publish
from core.identifiers import uuid7
from core.permissions import Caller


def put_into_bin(user: User, *, actor: Caller) -> None:
    """Delete the locked user until they are erased: sessions, tokens and mailed links end here."""
    operation = uuid7()
    User.all_objects.filter(pk=user.pk).update(version=user.version + 1)
    User.all_objects.filter(pk=user.pk).move_to_bin(operation=operation, by=actor.id)
    publish("user.deleted", subject=user, actor=actor, data={"delete_op": str(operation)})
    end_sessions(user_id=user.pk, actor=actor, reason="user_deleted")
    end_api_tokens(user_id=user.pk, actor=actor, reason="user_deleted")
    void_tokens(user, RESET_PASSWORD, VERIFY_EMAIL, CHANGE_EMAIL, DATA_EXPORT)


def bring_back(user: User, *, actor: Caller) -> None:
    """Make the locked user a live one again; a database error says that the address was taken meanwhile."""
    user.deleted_at = user.deleted_by = user.delete_op = user.erase_at = None
    user.version += 1
    user.save(update_fields=["deleted_at", "deleted_by", "delete_op", "erase_at", "version"])
    user.refresh_from_db(fields=["updated_at"])
    void_tokens(user, RESTORE_ACCOUNT)
    publish("user.restored", subject=user, actor=actor, audience=[user.pk])
