"""PostgreSQL's codes of what went wrong, which are the same in every language of its messages."""

import psycopg


def sqlstate(error: BaseException) -> str:
    """Return PostgreSQL's code of the error, or the empty string."""
    cause = error.__cause__
    return (cause.sqlstate or "") if isinstance(cause, psycopg.Error) else ""
