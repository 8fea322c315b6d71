"""Field rules: `x-read` and `x-write` name the roles that may read, or write, one path of `data`.

Administrators always may. `owner` in the list is whoever owns the resource, whatever their role. Whoever may not read a
path may not write it either: they would write over what they have never seen. What is refused or hidden here is never
lost: a write by somebody else keeps it.
"""

import copy
from collections.abc import Iterable, Sequence
from typing import Any, Final

from django.db.models import BooleanField, Case, F, Field, Func, JSONField, Q, TextField, Value, When
from django.db.models.expressions import Combinable, RawSQL

from core.errors import Detail, PermissionDenied
from resources.access import Asker
from resources.schemas.keywords import OWNER, Keywords, Path, Rule

_ABSENT: Final = object()

# Asked once in a statement, whatever the number of rows: nothing where no type has a rule, as in most deployments.
_ANY_RULE: Final = "(SELECT true FROM resource_types WHERE field_rules IS NOT NULL LIMIT 1)"
_RULES: Final = "(SELECT jsonb_object_agg(key, field_rules) FROM resource_types WHERE field_rules IS NOT NULL)"


def stored_rules(keywords: Keywords) -> list[dict[str, Any]] | None:
    """Return the `x-read` of a schema as its type keeps them for SQL."""
    return [{"path": list(rule.path), "roles": sorted(rule.roles)} for rule in keywords.read] or None


def hidden_paths(asker: Asker, keywords: Keywords, *, owns: bool = False) -> tuple[Path, ...]:
    """Return the paths of `data` that `asker` may not read; with `owns`, on a resource of their own.

    What is asked of many rows at once (a filter, a sort, an aggregate) is asked without `owns`.
    """
    return _denied(keywords.read, asker, owns=owns)


def locked_paths(asker: Asker, keywords: Keywords, *, owns: bool = False) -> tuple[Path, ...]:
    """Return the paths of `data` that `asker` may not write."""
    return _denied((*keywords.read, *keywords.write), asker, owns=owns)


def hidden_by(asker: Asker, stored: list[dict[str, Any]] | None, *, owns: bool = False) -> tuple[Path, ...]:
    """Return the same by the rules that a type keeps (`field_rules`)."""
    rules = [Rule(tuple(rule["path"]), frozenset(rule["roles"])) for rule in stored or ()]
    return _denied(rules, asker, owns=owns)


def is_hidden(dotted: str, paths: Iterable[Path]) -> bool:
    """Return whether the dotted path of a change (`data.salary`) is one of the paths, or lies below one."""
    hidden = [".".join(("data", *path)) for path in paths]
    return any(dotted == one or dotted.startswith(f"{one}.") for one in hidden)


def without(data: dict[str, Any], paths: Sequence[Path]) -> dict[str, Any]:
    """Return `data` without what stands at the paths, as `nook_shown` does it in SQL."""
    if not paths:
        return data
    shown = copy.deepcopy(data)
    for path in paths:
        _remove(shown, path)
    return shown


def shown_data(asker: Asker) -> Combinable:
    """Return the SQL of `data` as `asker` may read it."""
    if asker.is_admin:
        return F("data")
    seen = (_rules_of_type(), _role(asker), _owns(asker))
    hiding = Func(F("data"), *seen, function="nook_shown", output_field=JSONField())
    return Case(When(_no_rules(), then=F("data")), default=hiding, output_field=JSONField())


def _no_rules() -> Q:
    return Q(_sql(f"{_ANY_RULE} IS NULL", BooleanField()))


def _rules_of_type() -> Func:
    rules = _sql(_RULES, JSONField())
    return Func(rules, F("type_id"), template="(%(expressions)s)", arg_joiner=" -> ", output_field=JSONField())


def _role(asker: Asker) -> Combinable:
    return asker.role if isinstance(asker.role, Combinable) else Value(asker.role, TextField())


def _owns(asker: Asker) -> Combinable:
    if asker.user is None:
        return Value(False)
    return Case(When(owner_id=asker.user, then=Value(True)), default=Value(False), output_field=BooleanField())


def _sql(text: str, output_field: "Field[Any, Any]") -> RawSQL:
    return RawSQL(text, [], output_field)  # noqa: S611  # constants of this module


def refuse_locked(
    given: Any, *, before: dict[str, Any], after: dict[str, Any], locked: Iterable[Path], hidden: Iterable[Path]
) -> None:
    """Raise `PermissionDenied` with each path that `given` names and that the writer may not change.

    A value that can be seen may be sent back as it was read. One that is hidden may not be named at all: an answer to
    the right guess would tell it.
    """
    unseen = set(hidden)
    refused = [
        path
        for path in locked
        if _at(given, path) is not _ABSENT and (path in unseen or _at(after, path) != _at(before, path))
    ]
    if refused:
        message = "Your role may not write this field."
        raise PermissionDenied(details=[Detail(".".join(("data", *path)), "not_writable", message) for path in refused])


def keeping(data: dict[str, Any], before: dict[str, Any], locked: Sequence[Path]) -> dict[str, Any]:
    """Return `data` with what stood at the locked paths before, and nothing else there."""
    reached = [(path, *_reached(before, path)) for path in locked]
    if all(_at(data, path) is _ABSENT and value is _ABSENT for path, _, value in reached):
        return data
    kept = copy.deepcopy(data)
    for path, _, _ in reached:
        _remove_leaf(kept, path)
    for _, path, value in reached:
        if value is not _ABSENT:
            _put(kept, path, value)
    return kept


def _denied(rules: Iterable[Rule], asker: Asker, *, owns: bool) -> tuple[Path, ...]:
    if asker.is_admin:
        return ()
    role = asker.role if asker.role != OWNER else ""
    denied = (rule.path for rule in rules if role not in rule.roles and not (owns and OWNER in rule.roles))
    return tuple(dict.fromkeys(denied))


def _at(data: Any, path: Path) -> Any:
    for name in path:
        if not isinstance(data, dict) or name not in data:
            return _ABSENT
        data = data[name]
    return data


def _reached(data: Any, path: Path) -> tuple[Path, Any]:
    """Return the value at the path, or what stands in the way where the schema wants an object, with its own path."""
    for depth, name in enumerate(path):
        if not isinstance(data, dict):
            return (path[:depth], data) if data is not None else (path, _ABSENT)
        if name not in data:
            return path, _ABSENT
        data = data[name]
    return path, data


def _remove(data: dict[str, Any], path: Path) -> None:
    found, value = _reached(data, path)
    if value is not _ABSENT:
        _remove_leaf(data, found)


def _remove_leaf(data: dict[str, Any], path: Path) -> None:
    holder: Any = data
    for name in path[:-1]:
        if not isinstance(holder, dict):
            return
        holder = holder.get(name)
    if isinstance(holder, dict):
        holder.pop(path[-1], None)


def _put(data: dict[str, Any], path: Path, value: Any) -> None:
    """Put the value at the path; what stands in the way and is no object is left for the schema to refuse."""
    holder = data
    for name in path[:-1]:
        if holder.get(name) is None:
            holder[name] = {}
        if not isinstance(holder[name], dict):
            return
        holder = holder[name]
    holder[path[-1]] = value
