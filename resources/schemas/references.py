"""A schema as a part of a larger document: its references lead through the place where it stands."""

from typing import Any

from resources.schemas.lint import LISTS, MAPS, SINGLE


def placed_at(schema: Any, place: str) -> Any:
    """Return a linted schema with each `#/…` as `<place>/…`; values (`const`, `default`, …) stay as they are."""
    if not isinstance(schema, dict):
        return schema
    return {name: _moved(name, value, place) for name, value in schema.items() if name != "$schema"}


def _moved(name: str, value: Any, place: str) -> Any:
    if name == "$ref":
        return f"{place}{value.removeprefix('#')}"
    if name in SINGLE:
        return placed_at(value, place)
    if name in LISTS:
        return [placed_at(child, place) for child in value]
    if name in MAPS:
        return {key: placed_at(child, place) for key, child in value.items()}
    return value
