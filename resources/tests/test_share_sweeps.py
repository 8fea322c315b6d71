"""What is over goes after a month, and what may live again stays."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from accounts.models import User
from accounts.tests.factories import create_user
from core.models import Event
from core.personal_data import Erasure, personal_files
from resources.access import Asker, Level
from resources.models import Form, Resource, Share
from resources.personal_data import erase
from resources.services.share_sweeps import remove_ended
from resources.tests.factories import caller, create_resource, share
from resources.tests.test_tags import tags

pytestmark = pytest.mark.django_db


def link(resource: Resource, **fields: Any) -> Share:
    return Share.objects.create(
        resource=resource, given_by=resource.owner, access=Level.VIEWER, link_digest=fields.pop("digest"), **fields
    )


def long_ago(row: Share) -> None:
    """Let the row be as if nobody had touched it for two months: a trigger keeps `updated_at`."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE shares DISABLE TRIGGER keep_updated_at")
        cursor.execute("UPDATE shares SET updated_at = now() - interval '60 days' WHERE id = %s", [row.pk])
        cursor.execute("ALTER TABLE shares ENABLE TRIGGER keep_updated_at")


def test_what_ended_a_month_ago_goes_with_what_hung_on_it(owner: User) -> None:
    now = datetime.now(UTC)
    row = create_resource(owner)
    manager = create_user()
    ended = share(row, manager, Level.MANAGER)
    given_on = Share.objects.create(
        resource=row, user=create_user(), access=Level.VIEWER, given_by=manager, through=ended
    )
    Share.objects.filter(pk=ended.pk).update(expires_at=now - timedelta(days=31))
    lately = share(row, create_user(), Level.VIEWER)
    Share.objects.filter(pk=lately.pk).update(expires_at=now - timedelta(days=1))
    orphan = Share.objects.create(resource=row, user=create_user(), access=Level.VIEWER, given_by=create_user())
    used_up = link(row, digest=b"a" * 32, link_max_uses=1, link_uses=1)
    long_ago(used_up)
    just_used_up = link(row, digest=b"b" * 32, link_max_uses=1, link_uses=1)
    unused = link(row, digest=b"c" * 32, link_max_uses=1)
    long_ago(unused)

    assert remove_ended() == 2

    assert set(Share.objects.values_list("pk", flat=True)) == {lately.pk, orphan.pk, just_used_up.pk, unused.pk}
    removed = Event.objects.filter(type="share.removed").values_list("subject_id", flat=True)
    assert set(removed) == {str(ended.pk), str(given_on.pk), str(used_up.pk)}
    assert remove_ended() == 0


def test_a_person_is_handed_out_their_links_without_the_secrets_and_the_links_go_with_them(owner: User) -> None:
    row = create_resource(owner)
    link(row, digest=b"a" * 32, link_password="hash", link_max_uses=3)

    (rows,) = [list(file.rows or ()) for file in personal_files(owner.pk) if file.name == "resources/shares.json"]

    (shown,) = rows
    assert (shown["link"], shown["has_password"], shown["link_max_uses"], shown["link_uses"]) == (True, True, 3, 0)
    assert "hash" not in str(shown)
    assert not {"link_digest", "link_password"} & shown.keys()
    erase(Erasure(owner.pk))
    assert not Share.objects.exists()


def test_two_thousand_shares_are_read_by_index(owner: User, stranger: User, client_of: Any) -> None:
    rows = Resource.objects.bulk_create(Resource(owner=owner, name=f"Row {n}", tags=["a"]) for n in range(4_000))
    Share.objects.bulk_create(
        Share(resource=row, user=stranger, access=Level.VIEWER, given_by=owner) for row in rows[::2]
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE resources, shares, resource_tags")
        cursor.execute("SET LOCAL enable_seqscan = off")
    asker = Asker.of(caller(stranger))

    for form in Form:
        page = Resource.objects.visible_to(asker, form=form).order_by("-created_at", "-id")[:20]
        explained = page.explain()
        assert "Seq Scan on resources" not in explained, explained
        assert "Seq Scan on shares" not in explained, explained
        assert len(page) == 20
    assert Resource.objects.visible_to(asker).count() == 2_000
    assert tags(client_of(stranger)) == [("a", 100)]
