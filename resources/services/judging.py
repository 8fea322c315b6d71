"""Judging `data` before it is written: its weight, the field rules, the schema; and what is stored of it."""

from dataclasses import dataclass
from typing import Any, Final

import orjson

from core.errors import ValidationFailed
from core.permissions import Caller
from resources.access import Asker
from resources.keywords.field_rules import hidden_paths, keeping, locked_paths, refuse_locked
from resources.schemas import Keywords, Schema
from resources.schemas.keywords import Path

MAX_DATA_BYTES: Final = 256 * 1024
"""What `data` may weigh as JSON."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The field rules as they are for one writer."""

    locked: tuple[Path, ...]
    hidden: tuple[Path, ...]

    @classmethod
    def of(cls, actor: Caller, keywords: Keywords, *, owns: bool) -> "Rules":
        """Return what `actor` may not write and not read; with `owns`, of what is theirs."""
        if not keywords.read and not keywords.write:
            return _NO_RULES
        asker = Asker.of(actor)
        return cls(locked_paths(asker, keywords, owns=owns), hidden_paths(asker, keywords, owns=owns))

    def applied(self, data: dict[str, Any], *, before: dict[str, Any], given: Any = None) -> dict[str, Any]:
        """Return the data with what the writer may not change as it was before.

        Raises `PermissionDenied` where `given`, which is what they sent, names such a path.
        """
        if not self.locked:
            return data
        if given is not None:
            refuse_locked(given, before=before, after=data, locked=self.locked, hidden=self.hidden)
        return keeping(data, before, self.locked)


_NO_RULES: Final = Rules((), ())


def refuse_bad_data(data: dict[str, Any], schema: Schema) -> None:
    """Raise `ValidationFailed` for data that is too heavy, or not as the schema says."""
    if len(orjson.dumps(data)) > MAX_DATA_BYTES:
        raise ValidationFailed.of("data", "too_large", f"Data may weigh {MAX_DATA_BYTES // 1024} KiB as JSON.")
    schema.validate(data)
