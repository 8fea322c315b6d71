"""What keywords of the schema ask of the rows of an import: field rules, references, unique values, sealing.

A step asks for all of its rows at once. What is wrong is noted on the row; what somebody else takes between the look
and the write breaks the step, which is done again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import orjson
from django.db import IntegrityError

from core.errors import PermissionDenied
from core.permissions import Caller
from resources.keywords.sealing import opened, sealed
from resources.models import Resource
from resources.schemas import Keywords
from resources.services.importing.rows import Row
from resources.services.judging import Rules
from resources.services.side_rows import (
    Refusals,
    Written,
    held_values,
    keep_references,
    taken_values,
    unknown_targets,
)


def has_work(keywords: Keywords) -> bool:
    """Return whether the keywords ask anything of a row."""
    return bool(keywords.unique or keywords.references or keywords.encrypted or keywords.read or keywords.write)


@dataclass(slots=True)
class KeywordRows:
    """The rows of one step, by what keywords ask of them."""

    actor: Caller
    owner_id: UUID
    type_key: str
    keywords: Keywords
    _written: list[Written] = field(default_factory=list)

    def judge(self, rows: Sequence[Row], existing: Mapping[str, Resource]) -> None:
        """Note what is wrong with each row; complete and seal the data of the others."""
        self._written = []
        if not has_work(self.keywords):
            return
        rules = Rules.of(self.actor, self.keywords, owns=self.actor.id == self.owner_id)
        sound = [(row, self._ruled(row, existing.get(row.external_id or ""), rules)) for row in rows if not row.faults]
        written = [(row, one) for row, one in sound if one is not None]
        for ask in (self._unknown_targets, held_values):
            refusals = ask([one for row, one in written if not row.faults])
            for row, one in written:
                row.faults.extend(refusals.get(one.id, ()))
        for row, one in written:
            if not row.faults:
                self._written.append(one)
                self._store(row, one, existing.get(row.external_id or ""))

    def write(self) -> None:
        """Write the rows beside those that have just been written; raises `IntegrityError` where one came too late."""
        keep_references(self._written)
        if taken_values(self._written):
            raise IntegrityError("A unique value was taken in this moment.")

    def _unknown_targets(self, rows: Sequence[Written]) -> Refusals:
        return unknown_targets(rows, self.actor)

    def _ruled(self, row: Row, resource: Resource | None, rules: Rules) -> Written | None:
        before = {} if resource is None else opened(resource.data, resource.id)
        try:
            data = rules.applied(row.data, before=before, given=row.data)
        except PermissionDenied as refusal:
            row.faults.extend(refusal.details)
            return None
        return Written(UUID(row.id) if resource is None else resource.id, self.type_key, before, data, self.keywords)

    def _store(self, row: Row, written: Written, resource: Resource | None) -> None:
        # What the file says stays as it is in `data`: the step may have to judge it once more.
        stored = None if resource is None else resource.data
        row.stored = sealed(written.after, self.keywords.encrypted, resource_id=written.id, stored=stored)
        row.raw_data = orjson.dumps(row.stored)
