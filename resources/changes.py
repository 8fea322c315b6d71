"""What a write changes: JSON merge patch, and the difference of two states by dotted path."""

from collections.abc import Iterator
from typing import Any, Final

_ABSENT: Final = object()


def merge_patch(target: Any, patch: Any) -> Any:
    """Return `target` with `patch` merged in (RFC 7396): objects merge, null removes, all else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def difference(before: dict[str, Any], after: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what changed as `(before, after)`, by dotted path; a path is missing on the side that lacks it."""
    old: dict[str, Any] = {}
    new: dict[str, Any] = {}
    for path, was, now in _changes(before, after, ""):
        if was is not _ABSENT:
            old[path] = was
        if now is not _ABSENT:
            new[path] = now
    return old, new


def _changes(before: dict[str, Any], after: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any, Any]]:
    for name in {**before, **after}:
        was, now = before.get(name, _ABSENT), after.get(name, _ABSENT)
        if was == now and type(was) is type(now):
            continue
        if isinstance(was, dict) and isinstance(now, dict):
            yield from _changes(was, now, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", was, now
