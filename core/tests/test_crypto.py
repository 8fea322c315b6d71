from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import FieldError, ImproperlyConfigured
from django.db import connection, models
from django.test.utils import isolate_apps
from pytest_django import Settings

from core.crypto import (
    DecryptionFailed,
    EncryptedBytesField,
    EncryptedJSONField,
    EncryptedTextField,
    decrypt,
    encrypt,
    is_well_formed_token,
    random_token,
    token_digest,
)
from core.crypto.keyring import parse_keys
from core.identifiers import uuid7

OLD_KEY = "old:" + "b2xkLW9sZC1vbGQtb2xkLW9sZC1vbGQtb2xkLW9sZC0="
NEW_KEY = "new:" + "bmV3LW5ldy1uZXctbmV3LW5ldy1uZXctbmV3LW5ldy0="


@pytest.fixture
def vault(db: None) -> Iterator[Any]:
    """A table of its own with a field of each kind; gone with the test's transaction."""
    with isolate_apps("core"):

        class Vault(models.Model):
            id = models.UUIDField(primary_key=True, default=uuid7)
            note = EncryptedTextField(null=True)
            seed = EncryptedBytesField(null=True)
            facts = EncryptedJSONField(null=True)

            class Meta:
                app_label = "core"

        with connection.schema_editor() as editor:
            editor.create_model(Vault)
        yield Vault


def column(model: Any, name: str, primary_key: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT "{name}" FROM "{model._meta.db_table}" WHERE id = %s', [primary_key])  # noqa: S608
        (value,) = cursor.fetchone()
    return value


def test_a_sealed_value_opens_only_in_its_own_context() -> None:
    sealed = encrypt(b"seed", context="accounts.device.seed.1")

    assert sealed.startswith("nk1:test:")
    assert decrypt(sealed, context="accounts.device.seed.1") == b"seed"
    with pytest.raises(DecryptionFailed, match="sealed for another place"):
        decrypt(sealed, context="accounts.device.seed.2")
    with pytest.raises(DecryptionFailed, match="sealed for another place"):
        decrypt(sealed, context="accounts.device.seed.1", purpose="another")


def test_the_same_value_is_never_sealed_to_the_same_text() -> None:
    assert encrypt(b"seed", context="here") != encrypt(b"seed", context="here")


@pytest.mark.parametrize("position", [0, 12, 20, -1])
def test_a_changed_bit_is_noticed(position: int) -> None:
    prefix, body = encrypt(b"a long enough secret", context="here").rsplit(":", 1)
    characters = list(body.rstrip("="))
    characters[position - 1 if position < 0 else position] = "A" if characters[position] != "A" else "B"

    with pytest.raises(DecryptionFailed):
        decrypt(f"{prefix}:{''.join(characters)}" + "=" * (-len(characters) % 4), context="here")


@pytest.mark.parametrize("value", ["plain text", "", "nk1:test", "nk0:test:AAAA", "nk1:test:not base64!", "nk1:test:"])
def test_what_was_never_sealed_is_refused(value: str) -> None:
    with pytest.raises(DecryptionFailed):
        decrypt(value, context="here")


def test_a_new_first_key_seals_and_the_old_one_still_opens(settings: Settings) -> None:
    settings.ENCRYPTION_KEYS = OLD_KEY
    old = encrypt(b"seed", context="here")

    settings.ENCRYPTION_KEYS = f"{NEW_KEY},{OLD_KEY}"

    assert encrypt(b"seed", context="here").startswith("nk1:new:")
    assert decrypt(old, context="here") == b"seed"
    settings.ENCRYPTION_KEYS = NEW_KEY
    with pytest.raises(DecryptionFailed, match="has no key 'old'"):
        decrypt(old, context="here")


@pytest.mark.parametrize("ring", ["", "a:c2hvcnQ=", "a", f"{OLD_KEY},{OLD_KEY}", "a b:" + OLD_KEY[4:], "a:!!"])
def test_a_wrong_key_ring_is_refused(ring: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="ENCRYPTION_KEYS"):
        parse_keys(ring)


def test_fields_give_back_what_they_were_given_and_the_columns_hold_none_of_it(vault: Any) -> None:
    row = vault.objects.create(note="Grüße\x00", seed=b"\x00\xff", facts={"card": "4111", "list": [1, None]})

    read = vault.objects.get(id=row.id)

    assert (read.note, read.seed, read.facts) == ("Grüße\x00", b"\x00\xff", {"card": "4111", "list": [1, None]})
    assert all(column(vault, name, row.id).startswith("nk1:test:") for name in ("note", "seed", "facts"))


def test_an_empty_text_is_not_null(vault: Any) -> None:
    empty = vault.objects.create(note="")
    nothing = vault.objects.create(note=None)

    assert vault.objects.get(id=empty.id).note == ""
    assert vault.objects.get(id=nothing.id).note is None
    assert list(vault.objects.filter(note__isnull=True)) == [nothing]
    assert column(vault, "note", empty.id) != ""


def test_a_value_moved_to_another_row_or_column_does_not_open(vault: Any) -> None:
    first, second = vault.objects.create(note="mine", seed=b"raw"), vault.objects.create(note="yours")
    with connection.cursor() as cursor:
        table = vault._meta.db_table
        cursor.execute(f'UPDATE "{table}" SET note = %s WHERE id = %s', [column(vault, "note", first.id), second.id])  # noqa: S608
        cursor.execute(f'UPDATE "{table}" SET seed = note WHERE id = %s', [first.id])  # noqa: S608

    with pytest.raises(DecryptionFailed):
        _ = vault.objects.get(id=second.id).note
    with pytest.raises(DecryptionFailed):
        _ = vault.objects.get(id=first.id).seed


def test_saving_an_untouched_row_leaves_the_sealed_value_alone(vault: Any) -> None:
    row = vault.objects.create(note="mine", seed=b"raw")
    before = column(vault, "note", row.id)

    vault.objects.get(id=row.id).save()

    assert column(vault, "note", row.id) == before


def test_a_changed_value_is_sealed_again(vault: Any) -> None:
    row = vault.objects.create(note="mine")
    read = vault.objects.get(id=row.id)

    read.note = "changed"
    read.save(update_fields=["note"])
    row.refresh_from_db()

    assert row.note == "changed"


def test_bulk_create_seals_and_deferred_fields_open(vault: Any) -> None:
    vault.objects.bulk_create([vault(note="one"), vault(note="two")])

    assert sorted(row.note for row in vault.objects.defer("note")) == ["one", "two"]


def test_filters_by_value_and_bulk_updates_are_refused(vault: Any) -> None:
    vault.objects.create(note="mine")

    with pytest.raises(FieldError, match="no filter by value"):
        vault.objects.filter(note="mine").exists()
    with pytest.raises(FieldError, match="writes only by saving"):
        vault.objects.update(note="yours")


def test_a_table_without_a_python_key_is_told_so() -> None:
    with isolate_apps("core"):

        class Numbered(models.Model):
            id = models.AutoField(primary_key=True)
            note = EncryptedTextField()

            class Meta:
                app_label = "core"

        problems = Numbered._meta.get_field("note").check()

    assert [problem.id for problem in problems] == ["nook.E020"]


def test_tokens_carry_their_prefix_and_a_checksum() -> None:
    token = random_token("nkr")

    assert token.startswith("nkr_")
    assert len(token) == 4 + 43 + 6
    assert is_well_formed_token(token, "nkr")
    assert not is_well_formed_token(token, "nke")
    assert not is_well_formed_token(token[:-1] + ("0" if token[-1] != "0" else "1"), "nkr")
    assert not is_well_formed_token("nkr_" + "é" * 49, "nkr")
    assert not is_well_formed_token("", "nkr")


def test_tokens_differ_and_are_kept_as_a_digest() -> None:
    tokens = {random_token("nkr") for _ in range(100)}

    assert len(tokens) == 100
    assert {len(token_digest(token)) for token in tokens} == {32}


def test_a_key_made_of_a_uuid_and_one_made_of_text_are_the_same_place(vault: Any) -> None:
    primary_key = uuid4()
    vault.objects.create(id=str(primary_key), note="mine")

    assert vault.objects.get(id=primary_key).note == "mine"
