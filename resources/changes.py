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


def merge_difference(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return the merge patch that makes `after` of `before`, as far as it has no null."""
    patch: dict[str, Any] = {name: None for name in before if name not in after}
    for name, now in after.items():
        was = before.get(name, _ABSENT)
        if isinstance(was, dict) and isinstance(now, dict):
            inner = merge_difference(was, now)
            patch |= {name: inner} if inner else {}
        elif was is _ABSENT or not is_same(was, now):
            patch[name] = now
    return patch


def is_same(was: Any, now: Any) -> bool:
    """Return whether both are the same JSON: to Python 1 is True, also within objects and arrays."""
    if was != now:
        return False
    if isinstance(was, dict):
        return all(is_same(item, now[name]) for name, item in was.items())
    if isinstance(was, list):
        return all(map(is_same, was, now))
    return isinstance(was, bool) is isinstance(now, bool)


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
        if type(was) is type(now) and is_same(was, now):
            continue
        if isinstance(was, dict) and isinstance(now, dict):
            yield from _changes(was, now, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", was, now
