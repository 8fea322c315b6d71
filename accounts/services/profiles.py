"""One's profile, of which the telephone number is the part with rules of its own."""

from collections.abc import Mapping
from typing import Any

from accounts.models import User
from accounts.services import phones, users
from accounts.services.users import CheckVersion, any_version
from core.permissions import Caller
from core.transactions import atomic


@atomic
def change_profile(*, actor: Caller, changes: Mapping[str, Any], check_version: CheckVersion = any_version) -> User:
    """Apply all of `changes` or none; raises as `users.change_user` and `phones.change_phone` do."""
    fields = {name: value for name, value in changes.items() if name != "phone"}
    user = users.change_user(actor=actor, user_id=actor.own_id, changes=fields, check_version=check_version)
    return phones.change_phone(actor=actor, phone=changes["phone"]) if "phone" in changes else user
