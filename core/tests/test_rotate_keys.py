from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from core.crypto.fields import Sealed
from core.crypto.keyring import key_id_of
from core.crypto.rotation import encrypted_columns, seal_anew
from core.models import IdempotencyKey
from core.tests.test_crypto import NEW_KEY, OLD_KEY

pytestmark = pytest.mark.django_db


def stored() -> list[str | None]:
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT answer FROM "{IdempotencyKey._meta.db_table}" ORDER BY id')  # noqa: S608
        return [value for (value,) in cursor.fetchall()]


def run(*arguments: str) -> str:
    output = StringIO()
    call_command("rotate_keys", *arguments, stdout=output, stderr=output)
    return output.getvalue()


@pytest.fixture
def answers(settings: Settings) -> list[IdempotencyKey]:
    """Five rows that the old key sealed, one of them empty; the new key is the active one since."""
    settings.ENCRYPTION_KEYS = OLD_KEY
    tomorrow = timezone.now() + timedelta(days=1)
    rows = [
        IdempotencyKey.objects.create(
            owner="o",
            key=str(number),
            fingerprint=b"f",
            answer={"number": number} if number else None,
            expires_at=tomorrow,
        )
        for number in range(5)
    ]
    settings.ENCRYPTION_KEYS = f"{NEW_KEY},{OLD_KEY}"
    return rows


def test_every_value_is_sealed_with_the_new_key_and_reads_as_before(
    answers: list[IdempotencyKey], settings: Settings
) -> None:
    output = run("--batch-size", "2")

    assert "4 values sealed with key 'new'; no other key is needed any more." in output
    assert [value and key_id_of(value) for value in stored()] == [None, "new", "new", "new", "new"]
    settings.ENCRYPTION_KEYS = NEW_KEY
    assert [row.answer for row in IdempotencyKey.objects.order_by("id")][1:] == [{"number": n} for n in range(1, 5)]


def test_a_dry_run_counts_and_changes_nothing(answers: list[IdempotencyKey]) -> None:
    before = stored()

    output = run("--dry-run")

    assert "core.idempotencykey.answer: 4" in output
    assert "4 values would be sealed with key 'new'." in output
    assert stored() == before


def test_an_interrupted_run_goes_on_where_it_stopped(answers: list[IdempotencyKey]) -> None:
    (column,) = [column for column in encrypted_columns() if column.model is IdempotencyKey]
    batches = seal_anew(column, batch_size=3)
    assert next(batches).sealed == 3
    batches.close()

    output = run()

    assert "1 values sealed with key 'new'" in output
    assert column.stale().count() == 0


def test_a_value_that_does_not_open_is_named_and_left(answers: list[IdempotencyKey]) -> None:
    broken = answers[2]
    IdempotencyKey.objects.filter(id=broken.id).update(answer=Sealed(stored()[1] or ""))

    output = StringIO()
    with pytest.raises(CommandError, match="3 values sealed with key 'new'; 1 are left"):
        call_command("rotate_keys", stdout=output, stderr=output)

    assert f"row {broken.id} does not open with any key" in output.getvalue()
    assert key_id_of(stored()[2] or "") == "old"


def test_a_second_run_has_nothing_to_do(answers: list[IdempotencyKey]) -> None:
    run()
    before = stored()

    assert "0 values sealed" in run()
    assert stored() == before


def test_every_encrypted_field_of_the_product_is_covered() -> None:
    places = {column.field.place for column in encrypted_columns()}

    assert {"core.idempotencykey.answer", "notifications.message.context"} <= places
