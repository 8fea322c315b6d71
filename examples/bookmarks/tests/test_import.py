"""`POST /api/v1/bookmarks/import`."""

from bookmarks.models import Bookmark

URLS = [f"https://example.com/{number}" for number in range(450)]


def test_a_long_list_is_kept_by_a_job(client_of, owner, drain):
    client = client_of(owner)
    client.post("/api/v1/bookmarks", {"url": URLS[7]})

    promised = client.post("/api/v1/bookmarks/import", {"urls": URLS})
    drain()
    job = client.get(promised.headers["Location"]).json()["data"]

    assert promised.status_code == 202
    assert (job["state"], job["total"], job["done"], job["failed"]) == ("succeeded", 450, 450, 1)
    assert Bookmark.objects.filter(owner=owner).count() == 450


def test_a_list_that_cannot_be_kept_fails_with_a_reason(client_of, owner, drain):
    client = client_of(owner)

    promised = client.post("/api/v1/bookmarks/import", {"urls": [*URLS, "http://example.com/"]})
    drain()
    job = client.get(promised.headers["Location"]).json()["data"]

    assert (job["state"], job["done"], job["error"]["code"]) == ("failed", 400, "not_https")
    assert Bookmark.objects.count() == 400
