"""Comments: GET and POST /resources/{id}/comments, GET, PATCH and DELETE of one."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from accounts.models import Role, User
from accounts.services.erasing import erase_account
from accounts.tests.answers import NOT_AUTHENTICATED, NOT_FOUND, PERMISSION_DENIED, ClientOf, error_of, invalid, refusal
from accounts.tests.factories import create_user
from core.models import Event
from core.permissions import SYSTEM
from resources.access import Level
from resources.models import MAX_BODY, Comment, Resource
from resources.representation import COMMENTS_INCLUDED
from resources.tests.factories import create_resource, create_type, share

HIDDEN = "Control and invisible characters are not allowed here."


@pytest.fixture
def row(owner: User) -> Resource:
    """The owner's private resource."""
    return create_resource(owner, name="March")


def path_of(row: Resource, comment: Comment | None = None) -> str:
    path = f"/api/v1/resources/{row.id}/comments"
    return f"{path}/{comment.id}" if comment else path


def say(row: Resource, author: User, body: str = "Fine.") -> Comment:
    return Comment.objects.create(resource=row, author=author, body=body)


def told() -> list[tuple[str, dict[str, Any]]]:
    return list(Event.objects.of_type("comment.*").order_by("seq").values_list("type", "payload"))


def test_the_owner_says_something(client_of: ClientOf, owner: User, row: Resource) -> None:
    response = client_of(owner).post(path_of(row), {"body": "  Two lines,\ncafe\u0301.  "})

    comment = Comment.objects.get()
    assert response.status_code == 201
    assert response.headers["Location"] == path_of(row, comment)
    assert response.headers["ETag"] == '"1"'
    data = response.json()["data"]
    assert data.pop("created_at").endswith("Z")
    assert data == {
        "id": str(comment.id),
        "author": {"id": str(owner.id), "name": "Olive Owner", "avatar": None},
        "body": "Two lines,\ncaf\u00e9.",
        "edited_at": None,
        "deleted_at": None,
    }
    assert told() == [("comment.created", {"resource": str(row.id), "version": 1})]


@pytest.mark.parametrize(
    ("level", "status"), [(Level.VIEWER, 403), (Level.COMMENTER, 201), (Level.EDITOR, 201), (Level.MANAGER, 201)]
)
def test_commenting_begins_at_the_level_of_commenter(
    client_of: ClientOf, stranger: User, row: Resource, level: Level, status: int
) -> None:
    share(row, stranger, level)

    response = client_of(stranger).post(path_of(row), {"body": "Hello"})

    assert response.status_code == status
    assert Comment.objects.count() == len(told()) == (status == 201)


def test_who_reads_what_is_open_to_all_does_not_comment(
    client_of: ClientOf, anonymous: Client, owner: User, stranger: User, row: Resource
) -> None:
    Resource.objects.update(visibility="public")
    say(row, owner, "Welcome")

    assert [comment["body"] for comment in anonymous.get(path_of(row)).json()["data"]] == ["Welcome"]
    assert error_of(anonymous.post(path_of(row), {"body": "Hello"})) == NOT_AUTHENTICATED
    assert error_of(client_of(stranger).post(path_of(row), {"body": "Hello"})) == PERMISSION_DENIED
    assert (Comment.objects.count(), told()) == (1, [])


def test_a_stranger_learns_nothing(client_of: ClientOf, owner: User, stranger: User, row: Resource) -> None:
    comment = say(row, owner)
    client = client_of(stranger)

    answers = [
        client.get(path_of(row)),
        client.post(path_of(row), {"body": "Hello"}),
        client.get(path_of(row, comment)),
        client.patch(path_of(row, comment), {"body": "Changed"}),
        client.delete(path_of(row, comment)),
    ]

    assert [error_of(answer) for answer in answers] == [NOT_FOUND] * 5
    assert (Comment.objects.get().body, told()) == ("Fine.", [])


def test_a_comment_is_found_under_its_own_resource_only(client_of: ClientOf, owner: User, row: Resource) -> None:
    comment = say(create_resource(owner), owner)
    client = client_of(owner)

    assert error_of(client.get(path_of(row, comment))) == NOT_FOUND
    assert error_of(client.patch(path_of(row, comment), {"body": "Changed"})) == NOT_FOUND
    assert error_of(client.delete(path_of(row, comment))) == NOT_FOUND
    assert Comment.objects.get().body == "Fine."


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, ("body", "required", "This field is required.")),
        ({"body": " \n"}, ("body", "blank", "This field may not be blank.")),
        ({"body": 7}, ("body", "invalid", "Not a valid string.")),
        (
            {"body": "x" * (MAX_BODY + 1)},
            ("body", "max_length", "Ensure this field has no more than 10000 characters."),
        ),
        ({"body": "a\u202eb"}, ("body", "hidden_characters", HIDDEN)),
        ({"body": "a\x07b"}, ("body", "hidden_characters", HIDDEN)),
        ({"body": "Hello", "mood": "good"}, ("mood", "unknown_field", "There is no such field.")),
    ],
)
def test_what_is_no_plain_text_is_refused(
    client_of: ClientOf, owner: User, row: Resource, body: dict[str, Any], detail: tuple[str, str, str]
) -> None:
    assert error_of(client_of(owner).post(path_of(row), body)) == invalid(detail)
    assert (Comment.objects.count(), told()) == (0, [])


def test_a_type_without_comments_takes_none(client_of: ClientOf, owner: User) -> None:
    row = create_resource(owner, type=create_type("quiet", comments=False))
    client = client_of(owner)

    answer = error_of(client.post(path_of(row), {"body": "Hello"}))

    assert answer == refusal(409, "CONFLICT", "Resources of this type take no comments.")
    assert (client.get(path_of(row)).json()["data"], Comment.objects.count(), told()) == ([], 0, [])


def test_the_list_is_in_order_and_walked_by_cursor(client_of: ClientOf, owner: User, row: Resource) -> None:
    for number in range(5):
        say(row, owner, f"Remark {number}")
    client = client_of(owner)

    first = client.get(f"{path_of(row)}?per_page=2&cursor=").json()
    say(row, owner, "Remark 5")
    second = client.get(f"{path_of(row)}?per_page=4&cursor={first['meta']['next_cursor']}").json()
    newest = client.get(f"{path_of(row)}?sort=-created_at&per_page=1").json()

    assert [comment["body"] for comment in first["data"] + second["data"]] == [f"Remark {n}" for n in range(6)]
    assert second["meta"]["next_cursor"] is None
    assert ([comment["body"] for comment in newest["data"]], newest["meta"]["total"]) == (["Remark 5"], 6)
    assert client.get(f"{path_of(row)}?sort=body").status_code == 400


def test_the_author_changes_their_words(client_of: ClientOf, owner: User, stranger: User, row: Resource) -> None:
    share(row, stranger, Level.COMMENTER)
    comment = say(row, stranger)
    client = client_of(stranger)

    response = client.patch(path_of(row, comment), {"body": "Better."}, headers={"If-Match": '"1"'})

    data = response.json()["data"]
    assert (response.status_code, data["body"], response.headers["ETag"]) == (200, "Better.", '"2"')
    assert data["edited_at"] is not None
    assert told() == [("comment.updated", {"resource": str(row.id), "version": 2})]
    assert client.get(path_of(row, comment), headers={"If-None-Match": '"2"'}).status_code == 304


def test_the_same_words_again_are_no_change(client_of: ClientOf, owner: User, row: Resource) -> None:
    comment = say(row, owner)

    response = client_of(owner).patch(path_of(row, comment), {"body": "Fine."})

    assert (response.headers["ETag"], response.json()["data"]["edited_at"], told()) == ('"1"', None, [])


def test_nobody_else_changes_them_not_even_an_admin(
    client_of: ClientOf, owner: User, stranger: User, admin: User, row: Resource
) -> None:
    share(row, stranger, Level.COMMENTER)
    comment = say(row, stranger)

    for user in (owner, admin):
        answer = error_of(client_of(user).patch(path_of(row, comment), {"body": "Changed"}))
        assert answer == refusal(403, "PERMISSION_DENIED", "A comment is its author's to change.")
    assert (Comment.objects.get().body, told()) == ("Fine.", [])


def test_an_author_who_may_only_read_by_now_deletes_but_does_not_change(
    client_of: ClientOf, stranger: User, row: Resource
) -> None:
    share(row, stranger, Level.VIEWER)
    comment = say(row, stranger)
    client = client_of(stranger)

    assert error_of(client.patch(path_of(row, comment), {"body": "Changed"})) == PERMISSION_DENIED
    assert Comment.objects.get().body == "Fine."
    assert client.delete(path_of(row, comment)).status_code == 204


def test_another_version_in_mind_changes_nothing(client_of: ClientOf, owner: User, row: Resource) -> None:
    comment = say(row, owner)
    client = client_of(owner)
    other = {"If-Match": '"7"'}

    assert client.patch(path_of(row, comment), {"body": "Changed"}, headers=other).status_code == 412
    assert client.delete(path_of(row, comment), headers=other).status_code == 412
    assert (Comment.objects.get().body, told()) == ("Fine.", [])


@pytest.mark.parametrize(("level", "status"), [(Level.COMMENTER, 403), (Level.EDITOR, 403), (Level.MANAGER, 204)])
def test_other_people_s_words_are_taken_away_by_who_may_delete(
    client_of: ClientOf, owner: User, stranger: User, row: Resource, level: Level, status: int
) -> None:
    share(row, stranger, level)
    comment = say(row, owner)

    assert client_of(stranger).delete(path_of(row, comment)).status_code == status
    assert Comment.objects.get().body == ("" if status == 204 else "Fine.")
    assert len(told()) == (status == 204)


def test_a_deleted_comment_keeps_its_place_without_its_words(client_of: ClientOf, owner: User, row: Resource) -> None:
    comment = say(row, owner)
    client = client_of(owner)

    assert client.delete(path_of(row, comment)).status_code == 204

    [shown] = client.get(path_of(row)).json()["data"]
    assert (shown["body"], shown["author"]["name"], shown["deleted_at"] is not None) == ("", "Olive Owner", True)
    assert told() == [("comment.deleted", {"resource": str(row.id), "version": 2})]
    assert error_of(client.delete(path_of(row, comment))) == NOT_FOUND
    assert error_of(client.patch(path_of(row, comment), {"body": "Back"})) == NOT_FOUND


def test_what_lies_in_the_bin_is_not_talked_about_until_it_is_back(
    client_of: ClientOf, owner: User, row: Resource
) -> None:
    comment = say(row, owner)
    client = client_of(owner)
    client.delete(f"/api/v1/resources/{row.id}")

    assert error_of(client.get(path_of(row))) == NOT_FOUND
    assert error_of(client.post(path_of(row), {"body": "Hello"})) == NOT_FOUND
    assert error_of(client.patch(path_of(row, comment), {"body": "Changed"})) == NOT_FOUND

    client.post(f"/api/v1/resources/{row.id}/restore")
    assert [shown["body"] for shown in client.get(path_of(row)).json()["data"]] == ["Fine."]


def test_a_role_that_writes_every_resource_comments_too(client_of: ClientOf, moderator: User, row: Resource) -> None:
    Role.objects.filter(name="moderator").update(permissions=["read:user", "write:resource"])

    assert client_of(moderator).post(path_of(row), {"body": "Hello"}).status_code == 201


def test_the_events_of_comments_carry_no_words(client_of: ClientOf, owner: User, row: Resource) -> None:
    client = client_of(owner)
    client.post(path_of(row), {"body": "canary one"})
    comment = Comment.objects.get()
    client.patch(path_of(row, comment), {"body": "canary two"})
    client.delete(path_of(row, comment))

    assert [type_ for type_, _ in told()] == ["comment.created", "comment.updated", "comment.deleted"]
    assert "canary" not in str(list(Event.objects.values()))


def test_whoever_is_forgotten_leaves_places_without_words_behind(owner: User, row: Resource) -> None:
    author = create_user()
    share(row, author, Level.COMMENTER)
    comment = say(row, author, "canary")

    erase_account(actor=SYSTEM, user_id=author.id, even_in_use=True)

    comment.refresh_from_db()
    assert (comment.author, comment.body, comment.deleted_at is not None) == (None, "", True)


def test_a_resource_carries_its_newest_comments_when_asked(owner: User, anonymous: Client, client_of: ClientOf) -> None:
    row = create_resource(owner, visibility="public")
    for number in range(COMMENTS_INCLUDED + 2):
        Comment.objects.create(resource=row, author=owner, body=f"Remark {number}")
    Comment.objects.filter(body=f"Remark {COMMENTS_INCLUDED + 1}").update(body="", deleted_at=datetime.now(UTC))
    create_resource(owner, visibility="public", name="Without")

    listed = anonymous.get("/api/v1/resources?include=comments&fields=name&sort=created_at").json()["data"]
    alone = client_of(owner).get(f"/api/v1/resources/{row.pk}?include=comments").json()["data"]["comments"]

    newest_first = client_of(owner).get(f"/api/v1/resources/{row.pk}/comments?sort=-created_at").json()["data"]
    assert [one["name"] for one in listed] == ["A thing", "Without"]
    assert listed[0]["comments"] == alone == newest_first[:COMMENTS_INCLUDED]
    assert listed[1]["comments"] == []


def test_a_resource_of_a_type_without_comments_carries_none(owner: User, client_of: ClientOf) -> None:
    create_type("silent", comments=False)
    row = create_resource(owner, type_id="silent")
    Comment.objects.create(resource=row, author=owner, body="From before")

    assert client_of(owner).get(f"/api/v1/resources/{row.pk}?include=comments").json()["data"]["comments"] is None
