"""The parts of the configuration, and what each has to know."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Set
from typing import Any, ClassVar, Final, TypeAlias

from django.core.exceptions import ValidationError
from django.db import models

from core.errors import Detail, ValidationFailed
from core.permissions import Caller

Document: TypeAlias = dict[str, Any]
"""One thing as its file holds it: JSON."""


class Part(ABC):
    """One kind of thing: how it is read, judged and written. Writes are calls of services."""

    name: ClassVar[str]
    """The folder that its files lie in."""

    key: ClassVar[str]
    """The member that tells one document from another."""

    lasting: ClassVar[frozenset[str]] = frozenset()
    """What is part of the product and therefore never deleted."""

    @abstractmethod
    def stored(self) -> Iterable[Document]:
        """Return everything there is."""

    @abstractmethod
    def complete(self, document: Document) -> Document:
        """Return the document with the defaults of what it leaves out; raises `ValidationFailed`."""

    @abstractmethod
    def create(self, actor: Caller, document: Document) -> None:
        """Make what the document describes; as much of it as can be made before others of this part are there."""

    @abstractmethod
    def change(self, actor: Caller, key: str, changes: Document, *, force: bool) -> None:
        """Apply the members that differ; with `force` although rows would not fit."""

    @abstractmethod
    def delete(self, actor: Caller, key: str) -> None:
        """Delete it."""

    def in_order(self, documents: Mapping[str, Document]) -> list[str]:
        """Return the keys in the order in which they can be written."""
        return sorted(documents)

    def obstacle_to_change(self, key: str, changes: Document) -> str:
        """Return what stands against the change unless it is forced ("12 resources would not fit"), or nothing."""
        return ""

    def unknown_names(self, document: Document, there: Mapping[str, Set[str]]) -> str:
        """Return what the document names and will not be there ("no role auditor"), or nothing; no force helps.

        `there` holds the keys of every part, as they will be.
        """
        return ""

    def obstacle_to_deletion(self, key: str) -> str:
        """Return what stands against deleting it, or nothing."""
        return ""


PARTS: Final[dict[str, Part]] = {}
"""In the order in which they are applied: later ones may name earlier ones."""


def register(part: Part) -> None:
    """Add a part; raises `ValueError` for a name that is taken."""
    if part.name in PARTS:
        raise ValueError(f"There is a part {part.name!r} of the configuration already.")
    PARTS[part.name] = part


def complete_document(document: Document, blank: models.Model, kinds: Mapping[str, type]) -> Document:
    """Return the document with defaults, judged by type and by the model's fields; raises `ValidationFailed`.

    `kinds` names the members that a document has and the JSON type of each; null is taken where `blank`, a new row,
    has a field that may be null.
    """
    faults = [Detail(name, "unknown_field", "There is no such field.") for name in sorted(document.keys() - kinds)]
    faults += [
        Detail(name, "invalid_type", f"This is no {kinds[name].__name__}.")
        for name, value in document.items()
        if name in kinds and not _is_of(value, kinds[name], blank._meta.get_field(name))
    ]
    if faults:
        raise ValidationFailed(details=faults)
    for name, value in document.items():
        setattr(blank, name, value)
    _clean(blank, {name for name, kind in kinds.items() if kind in {str, int}})
    return {name: getattr(blank, name) for name in kinds}


def _is_of(value: Any, kind: type, field: Any) -> bool:
    return type(value) is kind or (value is None and field.null)


def _clean(row: models.Model, judged: set[str]) -> None:
    others = {field.name for field in row._meta.get_fields()} - judged
    try:
        row.full_clean(exclude=others, validate_unique=False)
    except ValidationError as error:
        faults = [Detail(name, "invalid", message) for name, told in error.message_dict.items() for message in told]
        raise ValidationFailed(details=faults) from None
