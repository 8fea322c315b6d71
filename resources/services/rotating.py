"""Sealed values of `data` under a new key: in records and in their versions; neither becomes a new version by it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models, transaction
from django.db.models import F, Func, Q, TextField, Value

from core.crypto.keyring import VERSION, active_key_id
from core.crypto.rotation import Progress, Store, seals_values
from resources.keywords.sealing import opened, sealed
from resources.models import Resource, ResourceType, ResourceVersion
from resources.schemas import compiled
from resources.schemas.keywords import Path, value_at
from resources.services.keyword_changes import keep_quiet


@dataclass(frozen=True, slots=True)
class Sealed:
    """A JSON column in which the data of records has sealed values, at `within`."""

    place: str
    model: type[models.Model]
    column: str
    within: Path
    type: str
    resource: str

    def count_stale(self) -> int:
        """Return how many rows have a value that another key sealed."""
        return sum(self._stale(key, paths).count() for key, paths in _encrypted())

    def seal_anew(self, *, batch_size: int) -> Iterator[Progress]:
        """Seal the stale values, a transaction per batch; yield after each."""
        for key, paths in _encrypted():
            after: UUID | None = None
            while rows := self._batch(key, paths, after, batch_size):
                with transaction.atomic():
                    keep_quiet()
                    unreadable = [row_id for row_id, *_ in rows if not self._seal(row_id, paths)]
                after = rows[-1][0]
                yield Progress(len(rows) - len(unreadable), unreadable)

    def _batch(self, key: str, paths: tuple[Path, ...], after: UUID | None, size: int) -> list[tuple[UUID]]:
        rows = self._stale(key, paths).order_by("pk")
        return list((rows.filter(pk__gt=after) if after else rows).values_list("pk")[:size])

    def _seal(self, row_id: UUID, paths: tuple[Path, ...]) -> bool:
        """Seal one row anew; return whether every value opened."""
        rows = self.model._base_manager.select_for_update(of=("self",), no_key=True).filter(pk=row_id)
        found = rows.values_list(self.resource, self.column).first()
        if found is None:
            return True
        resource_id, value = found
        stored = value_at(value, self.within)
        data = opened(stored, resource_id)
        if any(_is_shut(value_at(stored, path), value_at(data, path)) for path in paths):
            return False
        fresh: Any = sealed(data, paths, resource_id=resource_id)
        whole = {**value, self.within[0]: fresh} if self.within else fresh
        self.model._base_manager.filter(pk=row_id).update(**{self.column: whole})
        return True

    def _stale(self, key: str, paths: tuple[Path, ...]) -> models.QuerySet[Any]:
        stale = Q()
        rows = self.model._base_manager.filter(**{self.type: key})
        for place, path in enumerate(paths):
            at = Value([*self.within, *path], ArrayField(TextField()))
            text = Func(F(self.column), at, template="(%(expressions)s)", arg_joiner=" #>> ", output_field=TextField())
            rows = rows.alias(**{f"at{place}": text})
            stale |= Q(**{f"at{place}__startswith": f"{VERSION}:"}) & ~Q(
                **{f"at{place}__startswith": f"{VERSION}:{active_key_id()}:"}
            )
        return rows.filter(stale)


@seals_values
def sealed_data() -> list[Store]:
    """Return the two columns that hold data, records first: the first version that one leaves is sealed as it was."""
    return [
        Sealed("resources.resource.data", Resource, "data", (), "type__key", "id"),
        Sealed(
            "resources.resourceversion.snapshot",
            ResourceVersion,
            "snapshot",
            ("data",),
            "resource__type__key",
            "resource_id",
        ),
    ]


def _encrypted() -> Iterator[tuple[str, tuple[Path, ...]]]:
    for type_id, key, number in ResourceType.objects.order_by("key").values_list("id", "key", "schema_version"):
        paths = compiled(type_id, number).keywords.encrypted
        if paths:
            yield key, paths


def _is_shut(stored: Any, clear: Any) -> bool:
    return stored == clear and isinstance(stored, str) and stored.startswith(f"{VERSION}:")
