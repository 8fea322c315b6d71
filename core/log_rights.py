"""Who may rewrite the event log by the database's own grants: the second lock, behind the triggers."""

from typing import Final

from django.db import connection

_TABLES: Final = """
SELECT 'events' UNION ALL SELECT 'event_seals' UNION ALL SELECT 'event_redactions'
UNION ALL SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'events'::regclass ORDER BY 1
"""
_STANDING: Final = """
SELECT rolsuper, pg_has_role(oid, (SELECT relowner FROM pg_class WHERE oid = 'events'::regclass), 'MEMBER')
FROM pg_roles WHERE rolname = %s
"""


class UnableToProtect(Exception):
    """The role is not there, or is one that grants cannot bind; the message says which."""


def protect(*, role: str) -> list[str]:
    """Leave the role INSERT and SELECT on the log's tables and nothing more; return their names.

    It still redacts, through a function that runs with the owner's rights and can only take out.
    """
    with connection.cursor() as cursor:
        cursor.execute(_STANDING, [role])
        standing = cursor.fetchone()
        if standing is None:
            raise UnableToProtect(f"There is no role {role}.")
        if any(standing):
            raise UnableToProtect(
                f"{role} owns the log or is a superuser, whom grants do not bind: "
                "give the application a role of its own."
            )
        tables = log_tables()
        quoted = connection.ops.quote_name(role)
        for table in tables:
            cursor.execute(f"REVOKE ALL ON {table} FROM {quoted}")
        cursor.execute(f"GRANT SELECT, INSERT ON events, event_seals TO {quoted}")
        cursor.execute(f"GRANT SELECT ON event_redactions TO {quoted}")
        cursor.execute(f"GRANT USAGE ON SEQUENCE events_seq TO {quoted}")
    return tables


def log_tables() -> list[str]:
    """Return the names of the log's tables: the log, its months, its seals, what was taken out."""
    with connection.cursor() as cursor:
        cursor.execute(_TABLES)
        return [name for (name,) in cursor.fetchall()]


def may_rewrite() -> bool:
    """Return whether the grants of this connection's role would let it rewrite the log."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT bool_or(has_table_privilege(name, 'UPDATE, DELETE, TRUNCATE')) FROM unnest(%s::text[]) name",
            [log_tables()],
        )
        return bool(cursor.fetchone()[0])
