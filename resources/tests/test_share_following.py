"""What shares keep after the schema of a type has changed: late for as long as it takes, and never asked too soon."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import Role, User
from accounts.tests.factories import create_user
from core.models import Job
from core.tests.spine import Drain
from resources.access import Level
from resources.models import SHARES, Form, SchemaFollowing, Share
from resources.services import share_following
from resources.services.share_checks import mend, out_of_step
from resources.tasks import follow_schemas
from resources.tests.factories import caller, create_resource, create_type, share
from resources.tests.test_share_values import (
    BY_REGION,
    COPIED,
    INDEXED,
    answered,
    asked,
    change,
    kept,
    past_the_triggers,
    plan_since,
    received_note,
    schema,
)

pytestmark = pytest.mark.django_db

ClientOf = Callable[[User], Client]


@pytest.fixture
def received(owner: User, stranger: User) -> Share:
    """A note of the owner that is shared with the stranger."""
    create_type("note", schema=schema())
    return received_note(owner, stranger)


class TestClosing:
    """A value that not everybody may read stands in no share: not from the change on, and soon not at all."""

    @pytest.mark.parametrize(
        "keyword", [{"x-read": ["clerk"]}, {"x-encrypted": True, "x-index": False}, {"x-index": False}]
    )
    def test_nobody_asks_the_copies_from_the_change_on_and_a_job_takes_them_away(
        self, received: Share, stranger: User, drain: Drain, keyword: dict[str, Any]
    ) -> None:
        Role.objects.create(name="clerk", permissions=[])

        change(schema(region={**INDEXED["region"], **keyword}))

        assert kept(received)[2] == 1
        statement = asked(caller(stranger), "data.customer.0", "count")[1]
        assert 'resource_data_since" = 2' in statement
        assert answered(caller(stranger), *BY_REGION) is None
        drain()
        assert kept(received) == ("draft", {"total": 3, "customer": {"0": "C"}}, 2)
        assert not SchemaFollowing.objects.exists()

    def test_whom_the_rule_lets_read_it_reads_the_resources(self, received: Share, drain: Drain) -> None:
        Role.objects.create(name="clerk", permissions=[])
        clerk = create_user(role="clerk")
        Share.objects.filter(pk=received.pk).update(user=clerk)
        change(schema(region={**INDEXED["region"], "x-read": ["clerk"]}))
        drain()

        answer, statement = asked(caller(clerk), *BY_REGION)

        assert "resource_data" not in statement
        assert b'"data.region" : "north"' in answer

    def test_what_lies_below_what_is_closed_is_copied_no_more(self, received: Share, drain: Drain) -> None:
        inner = {"0": {"type": "string", "x-index": True}}
        change(schema() | {"properties": {"customer": {"type": "object", "x-read": ["admin"], "properties": inner}}})
        drain()

        assert plan_since() == 0
        assert kept(received) == ("draft", None, None)


class TestFollowing:
    """Copies that are late are not asked; a job brings them, whatever has become of the one before."""

    def test_a_new_index_is_copied_by_a_job(self, received: Share, stranger: User, drain: Drain) -> None:
        change(schema(plain={"type": "number", "x-index": True}))

        before = asked(caller(stranger), "data.plain", "count")
        drain()

        assert kept(received) == ("draft", {**COPIED, "plain": 7}, 2)
        assert asked(caller(stranger), "data.plain", "count") == before
        assert b'"data.plain" : 7' in before[0]
        assert Job.objects.get(kind=share_following.KIND).state == "succeeded"

    def test_a_change_of_something_else_leaves_the_copies_as_they_are(self, received: Share) -> None:
        change(schema(plain={"type": "number", "maximum": 100}))

        assert kept(received) == ("draft", COPIED, 1)
        assert plan_since() == 1
        assert not Job.objects.filter(kind=share_following.KIND).exists()

    def test_a_share_made_between_the_change_and_the_job_needs_none(self, received: Share, drain: Drain) -> None:
        change(schema(region={"type": "string"}))
        row = create_resource(received.given_by, type_id="note", data={"region": "north", "total": 1})

        made = share(row, create_user(), Level.VIEWER)

        assert kept(made) == ("active", {"total": 1}, 2)
        assert kept(received)[2] == 1
        drain()
        assert (kept(made)[2], kept(received)[2]) == (2, 2)

    def test_a_cancelled_job_changes_no_answer_and_another_is_promised(
        self, received: Share, stranger: User, admin: User, client_of: ClientOf, drain: Drain
    ) -> None:
        change(schema(region={"type": "string"}))
        job = Job.objects.get(kind=share_following.KIND)
        assert client_of(admin).post(f"/api/v1/jobs/{job.pk}/cancel").status_code == 200
        drain()
        question = ("data.total", "count")

        assert kept(received) == ("draft", COPIED, 1)
        assert answered(caller(stranger), *question) == answered(caller(stranger), *question, form=Form.OR)
        assert follow_schemas() == "1 job(s) promised."
        drain()
        assert kept(received)[2] == 2

    def test_shares_from_before_the_columns_are_answered_by_their_resources_until_a_job_came_by(
        self, received: Share, stranger: User, drain: Drain
    ) -> None:
        with past_the_triggers():
            Share.objects.filter(pk=received.pk).update(
                resource_status=None, resource_data=None, resource_data_since=None
            )
        SchemaFollowing.objects.create(type_id="note", work=SHARES, schema_version=1)
        before = asked(caller(stranger), *BY_REGION)

        assert b'"data.region" : "north", "status" : "draft"' in before[0]
        assert follow_schemas() == "1 job(s) promised."
        drain()

        assert kept(received) == ("draft", COPIED, 1)
        assert asked(caller(stranger), *BY_REGION) == before

    def test_what_was_written_past_the_triggers_is_found_and_mended(self, received: Share) -> None:
        with past_the_triggers():
            Share.objects.filter(pk=received.pk).update(resource_data={"total": 9})

        assert list(out_of_step()) == [received]
        assert (mend(), kept(received)[1]) == (1, COPIED)
        assert not out_of_step()
