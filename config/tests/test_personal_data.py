"""Every table that can name a person is in what a person is handed out, and in what is erased of them."""

import pytest
from django.conf import settings
from django.db import models

from config.tests.sources import stale
from config.tests.test_tables import our_models
from core.personal_data import ERASERS, EXPORTERS, personal_files

# A column of such a name is about a person, whatever table it is in.
PERSONAL_COLUMNS = {"address", "bio", "device", "email", "ip", "phone", "recipient", "user_agent"}

# A table of personal data that nobody is handed out, with the reason.
NOT_EXPORTED: dict[str, str] = {
    "social_flows": "a way to a provider and back, for ten minutes; the connection it becomes is handed out",
}
# A table of personal data that is not erased by its app, with the reason.
NOT_ERASED: dict[str, str] = {
    "events": "append-only; what an erased person left in the log is redacted (core/redaction.py)",
}


def personal_tables() -> set[str]:
    """Return the tables that point at a user, and those with a column that is about a person."""
    return {model._meta.db_table for model in our_models() if _is_personal(model)} | {"users"}


def _is_personal(model: type[models.Model]) -> bool:
    fields = model._meta.local_fields
    points_at_a_user = any(field.related_model is not None and _is_the_user(field.related_model) for field in fields)
    return points_at_a_user or bool({field.column for field in fields} & PERSONAL_COLUMNS)


def _is_the_user(model: object) -> bool:
    return isinstance(model, type) and model._meta.label == settings.AUTH_USER_MODEL  # type: ignore[attr-defined]  # a model


def test_every_table_of_personal_data_is_exported() -> None:
    exported = {table for holder in EXPORTERS.values() for table in holder.tables}
    missing = personal_tables() - exported

    assert missing - set(NOT_EXPORTED) == set(), "add them to an app's personal_data.py, both ways"
    assert stale(NOT_EXPORTED, missing) == set()


def test_every_table_of_personal_data_is_erased() -> None:
    erased = {table for holder in ERASERS.values() for table in holder.tables}
    missing = personal_tables() - erased

    assert missing - set(NOT_ERASED) == set(), "add them to an app's personal_data.py, both ways"
    assert stale(NOT_ERASED, missing) == set()


@pytest.mark.parametrize("registry", [EXPORTERS, ERASERS], ids=["exports", "erases"])
def test_no_table_is_named_that_does_not_exist(registry: dict[str, object]) -> None:
    named = {table for holder in registry.values() for table in holder.tables}  # type: ignore[attr-defined]  # both have it

    assert named - {model._meta.db_table for model in our_models()} == set()


def test_every_file_that_a_person_is_handed_out_says_what_it_is(owner: models.Model) -> None:
    assert [file.name for file in personal_files(owner.pk) if not file.about] == []


def test_what_a_person_is_handed_out_has_no_secret(owner: models.Model) -> None:
    handed_out = {file.name: list(file.rows or ()) for file in personal_files(owner.pk)}

    names = {name for rows in handed_out.values() for row in rows for name in row}
    assert handed_out["accounts/profile.json"][0]["email"] == "owner@example.com"
    assert names & {"password", "token", "salt", "secret", "digest", "context", "answer"} == set()
