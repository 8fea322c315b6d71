"""What is refused in a schema before anything is judged by it.

A schema is a program that strangers' data runs: one that fetches, that never ends or that takes exponential time is
refused. Recursive references are, too: with them the work grows with a power of the depth.
"""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

from jsonschema_rs import ValidationError

from core.errors import Detail, ValidationFailed
from resources.schemas.ambiguity import is_ambiguous
from resources.schemas.compiled import Schema
from resources.schemas.keyword_lint import keyword_faults
from resources.schemas.keywords import ALL
from resources.schemas.patterns import backtracks
from resources.schemas.pointers import pointed_at

MAX_BYTES: Final = 64 * 1024
MAX_DEPTH: Final = 24
MAX_WORK: Final = 20_000
"""How many subschemas there may be once every reference is written out."""

_MANY_WAYS: Final = "A repeat that can read one text in many ways has no bound."
_TOLD: Final = 20
"""How many faults of one schema are told of."""

_ONE: Final = ("not", "if", "then", "else", "items", "contains", "additionalProperties", "propertyNames")
SINGLE: Final = frozenset({*_ONE, "unevaluatedItems", "unevaluatedProperties", "contentSchema"})
LISTS: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
MAPS: Final = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs"})
_VALUES: Final = frozenset(
    {
        *("$schema", "$ref", "$comment", "type", "enum", "const", "title", "description", "default", "examples"),
        *("deprecated", "readOnly", "writeOnly", "format", "contentEncoding", "contentMediaType", "multipleOf"),
        *("maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum", "maxLength", "minLength", "pattern"),
        *("maxItems", "minItems", "uniqueItems", "maxContains", "minContains", "maxProperties", "minProperties"),
        *("required", "dependentRequired"),
        *ALL,
    }
)
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def refuse_bad_schema(schema: Any) -> None:
    """Raise `ValidationFailed`, with the path of what is wrong (`schema.properties.total`), for what is not taken."""
    _refuse_size(schema)
    _refuse_foreign_dialect(schema)
    _refuse_any(_unknown_keywords(schema, "schema"))
    _refuse_endless(schema)
    try:
        Schema(schema)
    except ValidationError as fault:
        path = ".".join(["schema", *map(str, fault.instance_path)])
        raise _refused(path, "invalid_schema", _first_line(fault)) from None
    _refuse_any(_backtracking(schema, "schema"))
    _refuse_any(keyword_faults(schema))


def _refuse_any(faults: Iterable[Detail]) -> None:
    details = list(islice(faults, _TOLD))
    if details:
        raise ValidationFailed(details=details)


def _refuse_size(schema: Any) -> None:
    if not isinstance(schema, dict):
        raise _refused("schema", "not_an_object", "A schema is a JSON object.")
    if len(json.dumps(schema)) > MAX_BYTES:
        raise _refused("schema", "too_large", f"A schema may weigh {MAX_BYTES // 1024} KiB.")
    if _depth(schema) > MAX_DEPTH:
        raise _refused("schema", "too_deep", f"A schema may be {MAX_DEPTH} levels deep.")


def _refuse_foreign_dialect(schema: dict[str, Any]) -> None:
    if schema.get("$schema", _DIALECT).rstrip("#") != _DIALECT:
        raise _refused("schema.$schema", "unknown_dialect", f"The dialect is {_DIALECT}.")
    if schema.get("type") != "object":
        raise _refused("schema.type", "not_an_object", 'Data is a JSON object: say `"type": "object"`.')


def _unknown_keywords(schema: Any, path: str) -> Iterator[Detail]:
    """Yield what is no keyword: a misspelt rule would otherwise be no rule."""
    if not isinstance(schema, dict):
        return
    for name in schema:
        if name not in _VALUES and name not in SINGLE and name not in LISTS and name not in MAPS:
            yield Detail(f"{path}.{name[:100]}", "unknown_keyword", "There is no such keyword.")
    reference = schema.get("$ref", "#")
    if not isinstance(reference, str) or not reference.startswith("#"):
        yield Detail(f"{path}.$ref", "remote_reference", "A reference stays within the schema: `#/$defs/…`.")
    for step, child in _children(schema):
        yield from _unknown_keywords(child, f"{path}.{step}")


def _backtracking(schema: Any, path: str) -> Iterator[Detail]:
    """Yield the patterns that would take other programs than ours time without bound."""
    if not isinstance(schema, dict):
        return
    for name in ("pattern", *(f"patternProperties.{key}" for key in schema.get("patternProperties", ()))):
        pattern = schema.get(name) if name == "pattern" else name.partition(".")[2]
        if pattern is not None and (backtracks(pattern) or is_ambiguous(pattern)):
            yield Detail(
                f"{path}.{name[:200]}", "backtracks", "A repeat that can read one text in many ways has no bound."
            )
    for step, child in _children(schema):
        yield from _backtracking(child, f"{path}.{step}")


def _children(schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield every subschema with the path that leads there."""
    for name in sorted(schema.keys() & SINGLE):
        yield name, schema[name]
    for name in sorted(schema.keys() & LISTS):
        if isinstance(schema[name], list):
            yield from ((f"{name}.{place}", child) for place, child in enumerate(schema[name]))
    for name in sorted(schema.keys() & MAPS):
        if isinstance(schema[name], dict):
            yield from ((f"{name}.{key}", child) for key, child in schema[name].items())


def _refuse_endless(schema: dict[str, Any]) -> None:
    """Refuse recursion, and references that together write out to more work than a schema may be."""
    sizes: dict[int, int] = {}
    if _written_out(schema, schema, sizes, frozenset()) > MAX_WORK:
        raise _refused("schema", "too_much_work", f"Written out, a schema may have {MAX_WORK} parts.")


def _written_out(root: dict[str, Any], schema: Any, sizes: dict[int, int], within: frozenset[int]) -> int:
    if not isinstance(schema, dict):
        return 1
    if id(schema) in within:
        raise _refused("schema", "recursive_reference", "A schema may not refer to itself.")
    if id(schema) not in sizes:
        inside = within | {id(schema)}
        parts = [child for _, child in _children(schema)]
        if "$ref" in schema:
            parts.append(_target(root, schema["$ref"]))
        sizes[id(schema)] = 1 + sum(_written_out(root, part, sizes, inside) for part in parts)
    return sizes[id(schema)]


def _target(root: dict[str, Any], reference: str) -> Any:
    try:
        return pointed_at(root, reference)
    except LookupError:
        raise _refused("schema", "dangling_reference", f"{reference[:100]} points at nothing.") from None


def _depth(value: Any, level: int = 0) -> int:
    if level > MAX_DEPTH or not isinstance(value, dict | list):
        return level
    inner = value.values() if isinstance(value, dict) else value
    return max((_depth(item, level + 1) for item in inner), default=level + 1)


def _first_line(fault: ValidationError) -> str:
    return f"{fault.message.splitlines()[0][:300]}."


def _refused(path: str, code: str, message: str) -> ValidationFailed:
    return ValidationFailed.of(path, code, message)
