"""Sealing every stored value anew with the active key; may be stopped and started again at any row."""

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

from django.apps import apps
from django.db import models, transaction
from django.db.models.functions import Cast

from core.crypto import keyring
from core.crypto.fields import EncryptedField, Sealed


class Store(Protocol):
    """A place with sealed values."""

    @property
    def place(self) -> str:
        """Return what the place is called, as in `app.model.field`."""

    def count_stale(self) -> int:
        """Return how many rows have a value that another key than the active one sealed."""

    def seal_anew(self, *, batch_size: int) -> "Iterator[Progress]":
        """Seal the stale values, a transaction per batch; yield after each."""


_REGISTERED: Final[list[Callable[[], Iterable[Store]]]] = []


def seals_values(stores: Callable[[], Iterable[Store]]) -> Callable[[], Iterable[Store]]:
    """Register a function that returns the places where an app keeps sealed values besides its encrypted fields."""
    _REGISTERED.append(stores)
    return stores


def all_stores() -> list[Store]:
    """Return every place with sealed values: the encrypted fields, and what apps have registered."""
    return [*encrypted_columns(), *(store for stores in _REGISTERED for store in stores())]


@dataclass(frozen=True, slots=True)
class Column:
    """One encrypted field of one table."""

    model: type[models.Model]
    field: EncryptedField[Any]

    @property
    def place(self) -> str:
        """Return `app.model.field`."""
        return self.field.place

    def count_stale(self) -> int:
        """Return how many rows another key sealed."""
        return self.stale().count()

    def seal_anew(self, *, batch_size: int) -> "Iterator[Progress]":
        """Seal the stale values, a transaction per batch; yield after each."""
        return seal_anew(self, batch_size=batch_size)

    def stale(self) -> models.QuerySet[Any]:
        """Return the rows whose value another key than the active one sealed, by primary key."""
        rows = self.model._base_manager.annotate(sealed=Cast(self.field.name, models.TextField()))
        active = f"{keyring.VERSION}:{keyring.active_key_id()}:"
        return rows.filter(sealed__isnull=False).exclude(sealed__startswith=active).order_by("pk")


@dataclass(frozen=True, slots=True)
class Progress:
    """What one batch did: how many values were sealed anew, and which rows do not open."""

    sealed: int
    unreadable: list[Any]


def encrypted_columns() -> list[Column]:
    """Return every encrypted field of every table."""
    return [
        Column(model, field)
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, EncryptedField)
    ]


def seal_anew(column: Column, *, batch_size: int) -> Generator[Progress, None, None]:
    """Seal the stale values of one column, a transaction per batch; yield after each."""
    after: Any = None
    while True:
        with transaction.atomic():
            rows = _next_rows(column, after, batch_size)
            unreadable = [primary_key for primary_key, sealed in rows if not _seal_row(column, primary_key, sealed)]
        if not rows:
            return
        after = rows[-1][0]
        yield Progress(len(rows) - len(unreadable), unreadable)


def _next_rows(column: Column, after: Any, batch_size: int) -> list[tuple[Any, str]]:
    rows = column.stale() if after is None else column.stale().filter(pk__gt=after)
    # A row that somebody holds is left for the next run rather than waited for.
    return list(rows.select_for_update(skip_locked=True, of=("self",)).values_list("pk", "sealed")[:batch_size])


def _seal_row(column: Column, primary_key: Any, sealed: str) -> bool:
    try:
        value = column.field.open(sealed, primary_key)
    except keyring.DecryptionFailed:
        return False
    fresh: Sealed = column.field.seal(value, primary_key)
    column.model._base_manager.filter(pk=primary_key).update(**{column.field.name: fresh})
    return True
