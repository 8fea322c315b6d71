"""What bookmarks hold about a person."""

from collections.abc import Iterator
from uuid import UUID

from bookmarks.models import Bookmark
from core.personal_data import Erasure, PersonalFile, erases_personal_data, exports_personal_data, rows_of


@exports_personal_data("bookmarks", tables=("bookmarks",))
def export(user_id: UUID) -> Iterator[PersonalFile]:
    mine = Bookmark.objects.filter(owner_id=user_id)
    yield PersonalFile("bookmarks/bookmarks.json", rows_of(mine, "id", "url", "created_at"))


@erases_personal_data("bookmarks", tables=("bookmarks",))
def erase(erasure: Erasure) -> None:
    erasure.delete(Bookmark.objects.filter(owner_id=erasure.user_id))
