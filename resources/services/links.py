"""Opening links: counted exactly once each, with the password where there is one, and dead links all alike."""

from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import F

from accounts.hashing import is_right_password
from accounts.services.throttle import accept_success, guard_key, record_failure, refuse_if_blocked
from core import context
from core.addresses import limit_identity
from core.crypto import is_well_formed_token, token_digest
from core.errors import InvalidCredentials, NotFound
from core.permissions import Caller
from resources.models import Share
from resources.services.sharing import LINK_PREFIX, publish_opened

FREE_FAILURES_OF_ALL: Final = 50
"""How many wrong passwords a link takes from all addresses together, before each further try waits."""


def needs_password(*, token: str) -> bool:
    """Return whether the link asks for a password; counts nothing, and raises `NotFound` for one that is dead."""
    return bool(_open_link(token).link_password)


def open_link(*, actor: Caller, token: str, password: str | None = None) -> UUID:
    """Count one opening of the link and return the id of the resource that it shows.

    Not one transaction: hashing takes a quarter of a second, and a failure has to count though we raise. Raises
    `NotFound` for every link that does not serve, `InvalidCredentials` for a wrong or missing password, and
    `RateLimited` after too many wrong ones.
    """
    share = _open_link(token)
    if share.link_password:
        _check_password(share, password)
    with transaction.atomic():
        # The row is judged anew under its lock: of many that come at once, as many get in as there are openings left.
        opened = Share.objects.open_links().select_for_update(of=("self",)).filter(id=share.id).first()
        if opened is None or opened.link_password != share.link_password:
            raise NotFound
        Share.objects.filter(id=share.id).update(link_uses=F("link_uses") + 1)
        publish_opened(opened, actor=actor)
        return opened.resource_id


def _open_link(token: str) -> Share:
    if not is_well_formed_token(token, LINK_PREFIX):
        raise NotFound
    share = Share.objects.open_links().filter(link_digest=token_digest(token)).first()
    if share is None:
        raise NotFound
    return share


def _check_password(share: Share, password: str | None) -> None:
    """Raise unless the password is right. Wrong ones make their own address wait; very many, everyone."""
    if not password:
        raise InvalidCredentials("This link asks for a password.")
    here = guard_key(share.id, identity=limit_identity(context.current().ip))
    everywhere = guard_key(share.id)
    refuse_if_blocked(here)
    refuse_if_blocked(everywhere)
    if not is_right_password(password, share.link_password):
        record_failure(here)
        record_failure(everywhere, free=FREE_FAILURES_OF_ALL)
        raise InvalidCredentials("The password of this link is another one.")
    accept_success(here)
