"""The rows that a changed schema would refuse, however many there are and whatever their data holds."""

from datetime import UTC, datetime
from typing import Any

import pytest

from accounts.models import User
from core.permissions import SYSTEM
from core.tests.spine import Events
from resources.models import Resource, ResourceType
from resources.services import types
from resources.services.misfits import TooManyToJudge, misfits, refusal_by, refused_of_newest
from resources.tests.factories import create_resource, create_type

TEXT = 'a "quoted"\ttab, a back\\slash, a line\r\nend, \u2028, é and \\N'


@pytest.fixture
def rows(owner: User) -> list[Resource]:
    """Ten of them, some made in the same moment, with data that COPY and JSON both have to escape."""
    create_type("note")
    made = [create_resource(owner, type_id="note", data={"n": number, "text": TEXT}) for number in range(10)]
    Resource.objects.filter(pk__in=[row.pk for row in made[:5]]).update(created_at=datetime(2026, 1, 1, tzinfo=UTC))
    create_resource(owner, type_id="note", data={"n": 99}, deleted_at=datetime(2026, 1, 1, tzinfo=UTC))
    return made


@pytest.mark.parametrize("chunk", [1, 2, 3, 10, 11])
def test_every_live_row_is_judged_once_by_what_it_holds(rows: list[Resource], chunk: int) -> None:
    seen: list[dict[str, Any]] = []

    def is_refused(status: str, data: dict[str, Any]) -> bool:
        seen.append(data)
        return bool(data["n"] % 2)

    found = list(misfits("note", is_refused, chunk=chunk))

    assert sorted(data["n"] for data in seen) == list(range(10))
    assert {data["text"] for data in seen} == {TEXT}
    assert sorted(found) == sorted(row.pk for row in rows if row.data["n"] % 2)
    assert Resource.objects.count() == 10


def test_the_newest_are_judged_alone_where_a_few_do(rows: list[Resource]) -> None:
    changes = {"schema": {"type": "object", "properties": {"n": {"maximum": 6}}}}

    sample = refused_of_newest("note", refusal_by(changes), at_most=4)

    assert (sample.judged, sample.refused) == (4, 3)


def test_a_request_does_not_judge_for_ever(rows: list[Resource], events: Events) -> None:
    changes = {"schema": {"type": "object", "properties": {"n": {"maximum": 100}}}}
    before = len(events())

    with pytest.raises(TooManyToJudge):
        types.change_type(actor=SYSTEM, key="note", changes=changes, patience=-1.0)

    assert (ResourceType.objects.get(key="note").schema_version, len(events())) == (1, before)
    assert types.change_type(actor=SYSTEM, key="note", changes=changes, patience=None).schema_version == 2
