"""What a database error means to a caller: the constraints have the last word, and it is never a 500.

Read from the SQLSTATE, so a message in another language changes nothing.
"""

import re
from typing import Final

import psycopg
from django.apps import apps
from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError

from core.errors import ApplicationError, Conflict, Detail, ServiceUnavailable, ValidationFailed
from core.sqlstates import sqlstate

_UNIQUE: Final = "23505"
_EXCLUSION: Final = "23P01"
_FOREIGN_KEY: Final = "23503"
_RESTRICT: Final = "23001"
_NOT_NULL: Final = "23502"
_UNAVAILABLE: Final = frozenset({"25006", "25P03", "55P03", "57014"})
_UNAVAILABLE_CLASSES: Final = frozenset({"08", "40", "53", "57", "58"})
# Of several columns the last one counts: the others say within what its value has to be unique.
_KEY: Final = re.compile(r"\((?:[^()]*, )?(?:lower\()?\(?\"?([a-z_][a-z0-9_]*)\"?\)?(?:::[a-z ]+)?\)?\)=")


def translate(error: DatabaseError | InterfaceError) -> ApplicationError | None:
    """Return what the caller is told, or None when the error is a fault of ours."""
    if isinstance(error, IntegrityError):
        return _broken_constraint(error)
    code = sqlstate(error)
    if code[:2] == "22" or isinstance(error.__cause__, psycopg.DataError):
        return ValidationFailed.of(None, "invalid", "A value is out of range or of the wrong form.")
    if code in _UNAVAILABLE or code[:2] in _UNAVAILABLE_CLASSES:
        return ServiceUnavailable()
    if not code and isinstance(error, OperationalError | InterfaceError):
        return ServiceUnavailable()
    return None


def _broken_constraint(error: IntegrityError) -> ApplicationError:
    code = sqlstate(error)
    if code in {_UNIQUE, _EXCLUSION}:
        return Conflict(details=[Detail(_column(error), "unique", "This value is taken.")])
    if code == _FOREIGN_KEY and _is_missing_target(error):
        return ValidationFailed.of(_column(error), "does_not_exist", "There is no such thing to refer to.")
    if code in {_FOREIGN_KEY, _RESTRICT, ""}:
        return Conflict("Something else still refers to this.")
    if code == _NOT_NULL:
        return ValidationFailed.of(_column(error), "null", "This may not be null.")
    return ValidationFailed.of(_column(error), "invalid", "This value is not allowed.")


def _column(error: IntegrityError) -> str | None:
    """Return the field that the broken constraint is about, by the name of its column, if it can be told."""
    diagnostic = _diagnostic(error)
    if diagnostic is None:
        return None
    if diagnostic.column_name:
        return _field(diagnostic.table_name, diagnostic.column_name)
    named = _KEY.search(diagnostic.message_detail or "")
    if named:
        return _field(diagnostic.table_name, named.group(1))
    prefix = f"uq_{diagnostic.table_name}_"
    name = diagnostic.constraint_name or ""
    return name.removeprefix(prefix) if name.startswith(prefix) else None


def _field(table: str | None, column: str) -> str:
    """Return what our model calls the column: `owner` for `owner_id`, but `external_id` for itself."""
    models = (model for model in apps.get_models() if model._meta.db_table == table)
    names = (field.name for model in models for field in model._meta.fields if field.column == column)
    return next(names, column)


def _is_missing_target(error: IntegrityError) -> bool:
    """Return whether a row refers to nothing, rather than a row being referred to being removed.

    Both are one SQLSTATE; only the latter's report names a table other than the constraint's own in its
    detail ("still referenced from table"), so that is what is looked for.
    """
    diagnostic = _diagnostic(error)
    return diagnostic is None or "still referenced" not in (diagnostic.message_detail or "")


def _diagnostic(error: IntegrityError) -> psycopg.errors.Diagnostic | None:
    cause = error.__cause__
    return cause.diag if isinstance(cause, psycopg.Error) else None
