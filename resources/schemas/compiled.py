"""Schemas ready to judge: compiled once per type and version, which never changes, and kept by this process."""

import re
from collections.abc import Iterator
from functools import cached_property, lru_cache
from itertools import islice
from typing import Any, Final
from uuid import UUID

from jsonschema_rs import Draft202012Validator, RegexOptions, ValidationError

from core.errors import Detail, ValidationFailed
from resources.models import ResourceTypeVersion
from resources.schemas.keywords import Keywords
from resources.schemas.values import Property, property_named

MAX_FAULTS: Final = 20
"""How many faults of one document are told of."""

_KEPT: Final = 256
_LONGEST_MESSAGE: Final = 300
_UPPER: Final = re.compile(r"(?<!^)(?=[A-Z])")


class Schema:
    """One version of a type's schema."""

    def __init__(self, schema: dict[str, Any]) -> None:
        """Compile `schema`; raises jsonschema-rs's `ValidationError` for what is none."""
        # `offline`: a schema must never make us fetch an address. Rust's `regex` engine takes linear time and refuses
        # what could backtrack. `mask`: a message names the rule, not the value, which may be a secret.
        self._validator = Draft202012Validator(
            schema, validate_formats=True, pattern_options=RegexOptions(), mask="This", offline=True
        )
        self._schema: Final = schema

    @cached_property
    def keywords(self) -> Keywords:
        """Return the keywords of our own; ask for them of what has passed the lint alone."""
        return Keywords.of(self._schema)

    def property_named(self, dotted: str) -> Property | None:
        """Return the property under a dotted path of `data`, or None where the schema describes none."""
        return property_named(self._schema, dotted)

    def accepts(self, data: dict[str, Any]) -> bool:
        """Return whether `data` is as the schema says."""
        return self._validator.is_valid(data)

    def validate(self, data: dict[str, Any]) -> None:
        """Raise `ValidationFailed` with a dotted path (`data.lines.0.price`) for each fault of `data`."""
        if self._validator.is_valid(data):
            return
        faults = islice(self._validator.iter_errors(data), MAX_FAULTS)
        details = [detail for fault in faults for detail in _details(fault)]
        raise ValidationFailed(details=details[:MAX_FAULTS])


@lru_cache(maxsize=_KEPT)
def compiled(type_id: UUID, number: int) -> Schema:
    """Return the schema of the type in its version `number`; a version never changes, so it is read once."""
    version = ResourceTypeVersion.objects.get(type_id=type_id, number=number)
    return Schema(version.schema)


forget_schemas = compiled.cache_clear


def _details(fault: ValidationError) -> Iterator[Detail]:
    path = ".".join(["data", *map(str, fault.instance_path)])
    kind: Any = fault.kind
    for name in getattr(kind, "unexpected", ()):
        yield Detail(f"{path}.{name[:100]}", "unknown_field", "There is no such field.")
    if hasattr(kind, "unexpected"):
        return
    if hasattr(kind, "property"):
        yield Detail(f"{path}.{kind.property}", "required", "This field is required.")
        return
    yield Detail(path, _UPPER.sub("_", kind.name).lower(), f"{fault.message[:_LONGEST_MESSAGE]}.")
