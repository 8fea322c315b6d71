"""Who is told of a comment, and who is not: at the moment of sending, once, never the author."""

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest

from accounts.models import User
from accounts.tests.answers import ClientOf
from accounts.tests.factories import create_user
from core import events
from core.models import Event, EventDelivery
from notifications.models import Message
from notifications.tests.smtp import SmtpSink, text_of
from resources.access import Level
from resources.mentions import MOST_MENTIONED, for_people, named, picked
from resources.models import Comment, Resource, Share
from resources.services import talk
from resources.tests.factories import create_resource, share

Drain = Callable[..., int]

ANNA, BEN, OTHER_BEN = UUID(int=1), UUID(int=2), UUID(int=3)
PEOPLE = [(ANNA, "Anna"), (BEN, "Anna Berg"), (OTHER_BEN, "Zoë Straße")]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("@Anna, look", [ANNA]),
        ("@anna berg: look", [BEN]),
        ("@Anna Bergmann", [ANNA]),
        ("(@ANNA BERG) and @anna", [BEN, ANNA]),
        ("@zoe\u0308 strasse!", [OTHER_BEN]),
        ("mail anna@anna.example", []),
        ("@Annabel", []),
        ("@ Anna", []),
        ("@@Anna", [ANNA]),
        ("@", []),
        ("", []),
        ("@[Anna](user:00000000-0000-0000-0000-000000000009)", []),
    ],
)
def test_a_name_is_found_whole_in_any_case_and_the_longest_wins(text: str, found: list[UUID]) -> None:
    assert named(text, PEOPLE) == found


def test_two_people_of_one_name_are_both_meant() -> None:
    assert named("@Ben?", [(BEN, "Ben"), (OTHER_BEN, "ben")]) == [BEN, OTHER_BEN]


def test_whoever_was_picked_from_a_list_is_named_by_id() -> None:
    text = f"@[Anna](user:{ANNA}) and @[x](user:{str(BEN).upper()}), @[Anna](user:{ANNA}), @[bad](user:1)"

    assert picked(text) == [ANNA, BEN]
    assert for_people(text) == "@Anna and @x, @Anna, @[bad](user:1)"


def test_a_text_full_of_signs_mentions_so_many_and_no_more() -> None:
    crowd = [(uuid4(), f"Person {number:04}") for number in range(500)]

    assert len(named("".join(f"@{name} " for _, name in crowd), crowd)) == MOST_MENTIONED
    assert len(picked("".join(f"@[x](user:{person}) " for person, _ in crowd))) == MOST_MENTIONED
    assert named("@" * 10_000, crowd) == []


@pytest.fixture
def row(owner: User) -> Resource:
    """The owner's private resource."""
    return create_resource(owner, name="March")


def say(client_of: ClientOf, row: Resource, author: User, body: str) -> None:
    response = client_of(author).post(f"/api/v1/resources/{row.id}/comments", {"body": body})
    assert response.status_code == 201, response.content


def told() -> list[tuple[str, str]]:
    return sorted(Message.objects.values_list("address", "kind"))


def test_the_owner_is_told_of_a_comment(
    client_of: ClientOf, drain: Drain, smtp_sink: SmtpSink, owner: User, stranger: User, row: Resource
) -> None:
    share(row, stranger, Level.COMMENTER)
    say(client_of, row, stranger, "Is <b>this</b> right?")
    drain()

    [mail] = smtp_sink.to("owner@example.com")
    assert mail["Subject"] == "A comment on “March”"
    assert "Sam Stranger has commented on “March” at Nook Link:\n\nIs <b>this</b> right?" in text_of(mail).replace(
        "\r", ""
    )
    assert told() == [("owner@example.com", "resource.commented")]


def test_nobody_is_told_of_their_own_words(client_of: ClientOf, drain: Drain, owner: User, row: Resource) -> None:
    say(client_of, row, owner, f"@Olive Owner and @[me](user:{owner.id})")
    drain()

    assert told() == []


def test_whoever_is_mentioned_by_name_is_told_and_told_once(
    client_of: ClientOf, drain: Drain, owner: User, stranger: User, row: Resource
) -> None:
    share(row, stranger, Level.VIEWER)
    author = create_user(email="author@example.com")
    share(row, author, Level.COMMENTER)
    say(client_of, row, author, f"@sam stranger, @Olive Owner and again @[Sam](user:{stranger.id})")
    drain()

    assert told() == [("owner@example.com", "resource.mentioned"), ("stranger@example.com", "resource.mentioned")]


def test_who_may_not_read_is_not_told_and_nobody_learns_whether_they_exist(
    client_of: ClientOf, drain: Drain, owner: User, stranger: User, row: Resource
) -> None:
    client = client_of(owner)
    path = f"/api/v1/resources/{row.id}/comments"
    bodies = [f"@[Sam](user:{stranger.id}) @Sam Stranger", f"@[Sam](user:{uuid4()}) @Nobody Here"]

    answers = [client.post(path, {"body": body}) for body in bodies]
    drain()

    assert [answer.status_code for answer in answers] == [201, 201]
    shapes = [sorted(answer.json()["data"]) for answer in answers]
    assert shapes[0] == shapes[1]
    assert told() == []


def test_whoever_may_read_without_a_share_is_mentioned_by_id_and_not_by_name(
    client_of: ClientOf, drain: Drain, owner: User, stranger: User, row: Resource
) -> None:
    Resource.objects.update(visibility="internal")
    say(client_of, row, owner, "@Sam Stranger")
    drain()
    assert told() == []

    say(client_of, row, owner, f"@[Sam](user:{stranger.id})")
    drain()
    assert told() == [("stranger@example.com", "resource.mentioned")]


def test_who_lost_access_before_the_worker_came_is_not_told(
    client_of: ClientOf, drain: Drain, owner: User, stranger: User, row: Resource
) -> None:
    share(row, stranger, Level.VIEWER)
    say(client_of, row, owner, "@Sam Stranger")
    Share.objects.all().delete()
    drain()

    assert told() == []


@pytest.mark.parametrize("change", [{"is_active": False}, {"deleted_at": "2026-01-01T00:00:00Z"}])
def test_who_cannot_sign_in_is_not_told(
    client_of: ClientOf, drain: Drain, owner: User, stranger: User, row: Resource, change: dict[str, object]
) -> None:
    share(row, stranger, Level.VIEWER)
    say(client_of, row, owner, f"@[Sam](user:{stranger.id})")
    User.all_objects.filter(pk=stranger.pk).update(**change)
    drain()

    assert told() == []


def test_a_comment_that_is_gone_before_the_worker_came_is_told_to_nobody(
    client_of: ClientOf, drain: Drain, owner: User, stranger: User, row: Resource
) -> None:
    share(row, stranger, Level.COMMENTER)
    say(client_of, row, stranger, "Oh no")
    client_of(stranger).delete(f"/api/v1/resources/{row.id}/comments/{Comment.objects.get().id}")
    drain()

    assert told() == []


def test_a_resource_in_the_bin_is_told_of_to_nobody(
    client_of: ClientOf, drain: Drain, owner: User, stranger: User, row: Resource
) -> None:
    share(row, stranger, Level.COMMENTER)
    say(client_of, row, stranger, "Oh no")
    client_of(owner).delete(f"/api/v1/resources/{row.id}")
    drain()

    assert told() == []


def test_an_edit_tells_only_those_who_were_not_told(
    client_of: ClientOf, drain: Drain, owner: User, stranger: User, row: Resource
) -> None:
    author = create_user(email="author@example.com")
    share(row, author, Level.COMMENTER)
    share(row, stranger, Level.VIEWER)
    say(client_of, row, author, "Done")
    drain()

    path = f"/api/v1/resources/{row.id}/comments/{Comment.objects.get().id}"
    client_of(author).patch(path, {"body": "@Olive Owner @Sam Stranger done"})
    drain()

    assert told() == [("owner@example.com", "resource.commented"), ("stranger@example.com", "resource.mentioned")]


def test_an_event_that_is_delivered_again_tells_nobody_twice(
    client_of: ClientOf, drain: Drain, owner: User, stranger: User, row: Resource
) -> None:
    share(row, stranger, Level.COMMENTER)
    say(client_of, row, stranger, "Done")
    drain()

    EventDelivery.objects.all().delete()
    events.promise(Event.objects.get(type="comment.created").id, ["resources.comments"])
    drain()

    assert told() == [("owner@example.com", "resource.commented")]


def test_who_talks_without_end_fills_nobody_s_mailbox(
    client_of: ClientOf, drain: Drain, owner: User, stranger: User, row: Resource
) -> None:
    share(row, stranger, Level.COMMENTER)
    for number in range(8):
        say(client_of, row, stranger, f"Word {number}")
    drain()

    assert (Comment.objects.count(), len(told())) == (8, 5)


def test_a_crowd_costs_as_many_questions_as_one_reader(
    owner: User, row: Resource, django_assert_max_num_queries: Callable[..., object]
) -> None:
    for _ in range(20):
        share(row, create_user(), Level.VIEWER)
    comment = Comment.objects.create(resource=row, author=owner, body="@nobody")

    with django_assert_max_num_queries(16):  # type: ignore[attr-defined]  # a context manager
        talk.tell_of_comment(comment_id=comment.id, is_new=True, audience=[owner.pk], event_id=uuid4())
