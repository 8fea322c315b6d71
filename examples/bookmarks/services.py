"""What can be done with bookmarks."""

from django.db import transaction

from bookmarks.models import Bookmark
from core.events import publish
from core.jobs import create_job
from core.models import Job
from core.permissions import Caller


@transaction.atomic
def keep_bookmark(*, actor: Caller, url: str) -> Bookmark:
    """Keep an address for the caller; one they have already is a conflict, which the database says."""
    bookmark = Bookmark.objects.create(owner_id=actor.id, url=url)
    publish("bookmark.kept", subject=bookmark, actor=actor, data={"url": url})
    return bookmark


def import_bookmarks(*, actor: Caller, urls: list[str]) -> Job:
    """Promise to keep all these addresses for the caller."""
    return create_job("bookmarks.import", actor=actor, parameters={"urls": urls}, total=len(urls))
