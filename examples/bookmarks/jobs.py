"""Keeping many bookmarks, however long it takes."""

from bookmarks.models import Bookmark
from core.jobs import Done, JobFailed, Work, job_kind

URLS_A_STEP = 200


@job_kind("bookmarks.import", title="Import of bookmarks", tells_of=("succeeded", "failed"))
def import_bookmarks(work: Work) -> Done | None:
    """Keep the next addresses of the list; those the owner has already count as failed."""
    urls = work.parameters["urls"]
    wanted = urls[work.done : work.done + URLS_A_STEP]
    if any(not url.startswith("https://") for url in wanted):
        raise JobFailed("Only addresses that start with https:// can be kept.", code="not_https")
    known = set(Bookmark.objects.filter(owner_id=work.owner_id, url__in=wanted).values_list("url", flat=True))
    new = [url for url in dict.fromkeys(wanted) if url not in known]
    Bookmark.objects.bulk_create(Bookmark(owner_id=work.owner_id, url=url) for url in new)
    work.done += len(wanted)
    work.failed += len(wanted) - len(new)
    return Done() if work.done == len(urls) else None
