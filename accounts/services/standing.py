"""Who somebody is at this moment, for work that they asked for earlier."""

from dataclasses import replace
from uuid import UUID

from accounts.models import ApiToken, User
from core.permissions import Caller, limited
from core.standing import knows_callers


@knows_callers
def caller_now(*, user_id: UUID, token_id: UUID | None = None, impersonated_by: UUID | None = None) -> Caller | None:
    """Return the caller as they would be let in now; None for one who is disabled, deleted, or whose token has ended.

    `token_id` is the personal access token that they came with, whose scopes bind them still; `impersonated_by` the
    administrator who acted in their place.
    """
    user = User.objects.able_to_sign_in().select_related("role").filter(pk=user_id).first()
    if user is None:
        return None
    caller = replace(Caller.of(user), impersonated_by=impersonated_by)
    if token_id is None:
        return caller
    token = ApiToken.objects.live().filter(pk=token_id, user_id=user_id).first()
    if token is None:
        return None
    scopes = frozenset(token.scopes)
    return replace(caller, permissions=limited(caller.permissions, scopes), token_id=token.pk, scopes=scopes)
