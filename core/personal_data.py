"""What each app holds about a person: handed out when they ask for it, erased when their account ends.

Every app says both in its `personal_data.py`, which is imported when the server starts:

    @exports_personal_data("accounts", tables=("users", "sessions"))
    def export(user_id: UUID) -> Iterator[PersonalFile]:
        yield PersonalFile("accounts/sessions.json", rows_of(Session.objects.filter(user_id=user_id), "id", "ip"))

    @erases_personal_data("accounts", tables=("users", "sessions"))
    def erase(erasure: Erasure) -> None:
        erasure.delete(Session.objects.filter(user_id=erasure.user_id))

`tables` is what the function takes care of; a test holds it to every table that can name a person.
Secrets (passwords, digests, seeds) are erased and never exported.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias
from uuid import UUID

from django.apps import apps
from django.db import models


@dataclass(frozen=True, slots=True)
class PersonalFile:
    """One file of what a person is given: JSON rows under a name, or a file that is stored under `stored`."""

    name: str
    rows: Iterator[dict[str, Any]] | None = None
    stored: str = ""
    about: str = ""
    """A sentence on what is in it, for the export's README."""


@dataclass(slots=True)
class Erasure:
    """One person's data on its way out, in one transaction.

    `addresses` are the e-mail addresses (and phone numbers) by which rows without a key may know the person;
    `subjects` the ids of everything that was deleted, whose events then lose what they say of it; `files` the
    stored files that go after commit; `counts` what was done, by table.
    """

    user_id: UUID
    addresses: set[str] = field(default_factory=set)
    subjects: set[str] = field(default_factory=set)
    files: set[str] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)

    def delete(self, rows: models.QuerySet[Any]) -> None:
        """Delete the rows, and what the database deletes with them."""
        found = rows.order_by()
        # Numbers are not unique over tables: only ids that are can name a row in the log.
        keys = found.values_list("pk", flat=True)
        self.subjects.update(str(key) for key in keys if isinstance(key, UUID))
        for label, number in found.delete()[1].items():
            self.count(apps.get_model(label)._meta.db_table, number)

    def blank(self, rows: models.QuerySet[Any], **values: Any) -> None:
        """Write `values` over what the rows say of the person; the rows stay."""
        self.count(rows.model._meta.db_table, rows.order_by().update(**values))

    def forget_file(self, name: str) -> None:
        """Let the stored file of this name go when the transaction has committed; an empty name is none."""
        if name:
            self.files.add(name)

    def count(self, table: str, number: int) -> None:
        """Add to the number of rows of the table that were erased or blanked."""
        if number:
            self.counts[table] = self.counts.get(table, 0) + number


Exporter: TypeAlias = Callable[[UUID], Iterator[PersonalFile]]
Eraser: TypeAlias = Callable[[Erasure], None]


@dataclass(frozen=True, slots=True)
class Exports:
    """What one app hands out, and of which tables."""

    function: Exporter
    tables: frozenset[str]


@dataclass(frozen=True, slots=True)
class Erases:
    """How one app erases, and in which tables."""

    function: Eraser
    tables: frozenset[str]


EXPORTERS: Final[dict[str, Exports]] = {}
ERASERS: Final[dict[str, Erases]] = {}


def exports_personal_data(app: str, *, tables: tuple[str, ...]) -> Callable[[Exporter], Exporter]:
    """Register what `app` hands out to a person who asks for everything about themself."""

    def register(function: Exporter) -> Exporter:
        if app in EXPORTERS:
            raise ValueError(f"{app} exports its personal data already.")
        EXPORTERS[app] = Exports(function, frozenset(tables))
        return function

    return register


def erases_personal_data(app: str, *, tables: tuple[str, ...]) -> Callable[[Eraser], Eraser]:
    """Register how `app` forgets a person; it runs in the transaction that erases their account, maybe twice."""

    def register(function: Eraser) -> Eraser:
        if app in ERASERS:
            raise ValueError(f"{app} erases its personal data already.")
        ERASERS[app] = Erases(function, frozenset(tables))
        return function

    return register


def personal_files(user_id: UUID) -> Iterator[PersonalFile]:
    """Yield every file of what the system holds about the person, by app; each is read while it is iterated."""
    for app in sorted(EXPORTERS):
        yield from EXPORTERS[app].function(user_id)


def rows_of(rows: models.QuerySet[Any], *fields: str) -> Iterator[dict[str, Any]]:
    """Yield the named fields of the rows, oldest first, without holding all of them in memory."""
    return iter(rows.order_by("pk").values(*fields).iterator(chunk_size=500))
