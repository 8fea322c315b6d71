"""`/api/v1/bookmarks`."""

from accounts.models import Threat
from notifications.models import Message


def test_a_bookmark_is_kept_and_found_again_by_its_owner_alone(client_of, owner, stranger, events):
    kept = client_of(owner).post("/api/v1/bookmarks", {"url": "https://example.com/"})

    assert kept.status_code == 201
    assert [item["url"] for item in client_of(owner).get("/api/v1/bookmarks").json()["data"]] == [
        "https://example.com/"
    ]
    assert client_of(stranger).get("/api/v1/bookmarks").json()["data"] == []
    assert [event.payload for event in events("bookmark.kept")] == [{"url": "https://example.com/"}]


def test_the_same_address_twice_is_a_conflict_and_changes_nothing(client_of, owner, events):
    client_of(owner).post("/api/v1/bookmarks", {"url": "https://example.com/"})

    again = client_of(owner).post("/api/v1/bookmarks", {"url": "https://example.com/"})

    assert (again.status_code, again.json()["error"]["code"]) == (409, "CONFLICT")
    assert len(events("bookmark.kept")) == 1


def test_a_stranger_to_the_house_is_sent_away(anonymous):
    refused = anonymous.post("/api/v1/bookmarks", {"url": "https://example.com/"})

    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "NOT_AUTHENTICATED")


def test_a_password_in_an_address_is_told_to_owner_and_staff_once(client_of, owner, admin, drain):
    for path in ("a", "b"):
        client_of(owner).post("/api/v1/bookmarks", {"url": f"https://me:secret@example.com/{path}"})
    drain()

    threat = Threat.objects.get()
    assert (threat.rule, threat.user, threat.count) == ("bookmark_with_password", owner, 2)
    assert sorted(Message.objects.values_list("address", "kind")) == [
        (admin.email, "ops.alert"),
        (owner.email, "account.unusual_activity"),
    ]
