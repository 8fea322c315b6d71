"""Avatars: the picture is made and stored first, then the user's row names it, then the old one goes.

Whatever breaks off in between leaves pictures that no row names, never a row that names no picture; `sweep_avatars`
finds them a day later.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from accounts.avatars import FOLDER, VARIANTS, key_in, new_key, stored_name, stored_names
from accounts.models import User
from accounts.services.administration import refuse_more_than_held
from accounts.services.users import CheckVersion, any_version
from core.errors import NotFound, PermissionDenied
from core.events import publish
from core.images import make_variants
from core.permissions import Caller
from core.queue import enqueue
from core.transactions import atomic

_UNNAMED_FOR: Final = timedelta(days=1)


def set_avatar(*, actor: Caller, picture: bytes) -> User:
    """Make the picture the actor's avatar, in three sizes and without metadata.

    Raises `ValidationFailed` (see `core.images`), and `ServiceUnavailable` when pictures cannot be made or stored now.
    """
    made = make_variants(picture, VARIANTS)
    key = new_key()
    for size, content in made.files.items():
        default_storage.save(stored_name(key, size), ContentFile(content))
    return _put(actor=actor, user_id=actor.own_id, key=key)


def remove_avatar(*, actor: Caller, user_id: UUID, check_version: CheckVersion = any_version) -> User:
    """Take the avatar of oneself, or with `write:user` of somebody, away; there need not be one.

    Raises `NotFound`, `PermissionDenied` or `PreconditionFailed`.
    """
    if actor.id != user_id and not actor.holds("write:user"):
        raise PermissionDenied
    return _put(actor=actor, user_id=user_id, key=None, check_version=check_version)


@atomic
def _put(*, actor: Caller, user_id: UUID, key: str | None, check_version: CheckVersion = any_version) -> User:
    user = User.objects.locked().filter(pk=user_id).first()
    if user is None:
        raise NotFound
    check_version(user.version)
    if actor.id != user.pk:
        refuse_more_than_held(actor, user.permission_set)
    old = user.avatar
    if key == old:
        return user
    user.avatar = key
    user.version += 1
    user.save(update_fields=["avatar", "version"])
    user.refresh_from_db(fields=["updated_at"])
    # The keys are left out: whoever reads the log could look at the pictures.
    change = {"before": {"avatar": old is not None}, "after": {"avatar": key is not None}}
    publish("user.avatar_changed", subject=user, actor=actor, data=change, audience=[user.pk])
    if old:
        enqueue("accounts.tasks.remove_pictures", key=old)
    return user


def remove_pictures(*, key: str) -> None:
    """Delete every size of an avatar that nobody has any more; safe to run twice."""
    if not User.all_objects.filter(avatar=key).exists():
        for name in stored_names(key):
            default_storage.delete(name)


def sweep_avatars() -> int:
    """Delete the stored pictures that no user has and that are older than a day; return how many files."""
    removed = 0
    for folder in _listed(FOLDER)[0]:
        removed += sum(_remove_if_unnamed(folder, chunk) for chunk in _by_key(_listed(f"{FOLDER}/{folder}")[1]))
    return removed


def _listed(folder: str) -> tuple[list[str], list[str]]:
    """Return the folders and the files in a folder; a folder that is not there yet has none."""
    try:
        folders, files = default_storage.listdir(folder)
    except FileNotFoundError:
        return [], []
    return sorted(folders), sorted(files)


def _by_key(files: list[str]) -> Iterator[dict[str, list[str]]]:
    """Yield the pictures by their key, a thousand files at a time."""
    for start in range(0, len(files), 1000):
        found: dict[str, list[str]] = {}
        for file in files[start : start + 1000]:
            key = key_in(file)
            if key is not None:
                found.setdefault(key, []).append(file)
        yield found


def _remove_if_unnamed(folder: str, found: dict[str, list[str]]) -> int:
    named = set(User.all_objects.filter(avatar__in=list(found)).values_list("avatar", flat=True))
    names = [f"{FOLDER}/{folder}/{file}" for key, files in found.items() if key not in named for file in files]
    old = [name for name in names if default_storage.get_modified_time(name) < datetime.now(UTC) - _UNNAMED_FOR]
    for name in old:
        default_storage.delete(name)
    return len(old)
