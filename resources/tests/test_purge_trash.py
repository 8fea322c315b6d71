"""How long the bin keeps a resource: the type's `trash_days`, in the nightly purge and in `manage.py purge_trash`."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import User
from core import purge
from resources.models import Resource, ResourceType, ResourceVersion
from resources.tests.factories import create_resource, create_type

pytestmark = pytest.mark.django_db


@pytest.fixture
def bin_(owner: User) -> None:
    """One note and one item, deleted 10 and 40 days ago each, and one of each that lives; notes are kept for a week."""
    create_type("note", trash_days=7)
    for key in ("note", "item"):
        create_resource(owner, type_id=key, name=f"{key} alive")
        for days in (10, 40):
            moment = timezone.now() - timedelta(days=days)
            create_resource(owner, type_id=key, name=f"{key} {days}", deleted_at=moment)


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("purge_trash", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def names() -> list[str]:
    return sorted(Resource.all_objects.values_list("name", flat=True))


def test_each_type_keeps_its_bin_for_as_long_as_it_says(bin_: None) -> None:
    removed = purge.purge()

    assert removed["resources"] == 3
    assert names() == ["item 10", "item alive", "note alive"]


def test_a_changed_number_counts_for_what_lies_there_already(bin_: None) -> None:
    ResourceType.objects.update(trash_days=365)

    assert purge.purge()["resources"] == 0


def test_without_yes_it_only_counts(bin_: None) -> None:
    before = names()

    assert run() == "Would remove 3 resource(s) from the bin; --yes does it.\n"
    assert names() == before


def test_with_yes_they_are_gone_with_their_history(bin_: None) -> None:
    row = Resource.all_objects.get(name="note 40")
    ResourceVersion.objects.create(resource=row, number=1, action="created", snapshot={}, changed=[])

    assert run("--yes") == "Removed 3 resource(s) from the bin.\n"
    assert names() == ["item 10", "item alive", "note alive"]
    assert not ResourceVersion.objects.exists()
    assert run("--yes") == "Removed 0 resource(s) from the bin.\n"


def test_one_type_alone_can_be_named(bin_: None) -> None:
    assert run("--type", "note", "--yes") == "Removed 2 resource(s) from the bin.\n"
    assert names() == ["item 10", "item 40", "item alive", "note alive"]


def test_a_type_that_is_none_is_refused(bin_: None) -> None:
    with pytest.raises(CommandError, match="There is no type nothing"):
        run("--type", "nothing", "--yes")

    assert len(names()) == 6
