"""Which tags there are among the rows that a caller may read: one statement, one step along an index for each tag.

Nothing is counted that is not shown: for each reason to read (own, visibility, type, everything) the statement goes
from tag to tag along the index of that reason, and stops when there are enough; tags of shared rows are looked up
by the ids. The first of each are merged, and only they are counted, each up to `MOST_COUNTED`.
"""

from dataclasses import dataclass
from typing import Any, Final

from django.db import connection

from resources.access import Asker
from resources.models import Share

MOST_COUNTED: Final = 100
"""Rows are counted up to this many for each tag."""

# Beyond every key that begins so: no tag holds the last character of Unicode.
_LAST: Final = "\U0010ffff"

_WALK: Final = """
{name} AS (
    (SELECT key, tag FROM resource_tags WHERE {condition} AND key >= lower(%(prefix)s)
        AND key < lower(%(prefix)s) || %(last)s ORDER BY key, tag LIMIT 1)
    UNION ALL
    SELECT following.key, following.tag FROM {name} CROSS JOIN LATERAL (
        SELECT key, tag FROM resource_tags
        WHERE {condition} AND (key, tag) > ({name}.key, {name}.tag) AND key < lower(%(prefix)s) || %(last)s
        ORDER BY key, tag LIMIT 1) AS following
)"""
_SHARED: Final = """
shared AS MATERIALIZED (
    SELECT resource_id, key, tag FROM resource_tags
    WHERE resource_id = ANY (ARRAY({shares})) AND key >= lower(%(prefix)s) AND key < lower(%(prefix)s) || %(last)s
)"""
_TAGS: Final = """
WITH RECURSIVE {parts},
found AS (SELECT DISTINCT key, tag FROM ({firsts}) AS firsts ORDER BY key, tag LIMIT %(limit)s)
SELECT tag, (SELECT count(*) FROM ({rows}) AS counted) FROM found ORDER BY key, tag
"""
_COUNTED: Final = (
    "(SELECT resource_id FROM resource_tags WHERE {condition} AND key = found.key AND tag = found.tag LIMIT %(most)s)"
)


@dataclass(frozen=True, slots=True)
class TagCount:
    """A tag, and how many rows that the caller may read have it: `MOST_COUNTED` stands for that many or more."""

    tag: str
    count: int


def tags_visible_to(asker: Asker, *, prefix: str, limit: int) -> list[TagCount]:
    """Return the first `limit` tags, in alphabetical order, that begin with `prefix` in upper or lower case."""
    values: dict[str, Any] = {"prefix": prefix, "last": _LAST, "limit": limit, "most": MOST_COUNTED}
    conditions = _conditions(asker, values)
    walks = {f"walk{place}": condition for place, condition in enumerate(conditions)}
    parts = [_WALK.format(name=name, condition=condition) for name, condition in walks.items()]
    firsts = [f"(SELECT key, tag FROM {name} LIMIT %(limit)s)" for name in walks]  # noqa: S608  # names of ours
    rows = [_COUNTED.format(condition=condition) for condition in conditions]
    if asker.user is not None and not asker.sees_everything:
        parts.append(_SHARED.format(shares=_shares(asker, values)))
        firsts.append("(SELECT DISTINCT key, tag FROM shared ORDER BY key, tag LIMIT %(limit)s)")
        rows.append("(SELECT resource_id FROM shared WHERE tag = found.tag LIMIT %(most)s)")
    counted = f"SELECT resource_id FROM ({' UNION '.join(rows)}) AS every LIMIT %(most)s"  # noqa: S608  # as above
    statement = _TAGS.format(parts=",".join(parts), firsts=" UNION ALL ".join(firsts), rows=counted)
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return [TagCount(tag, count) for tag, count in cursor.fetchall()]


def _conditions(asker: Asker, values: dict[str, Any]) -> list[str]:
    """Return the reasons to read as conditions on `resource_tags`, shares apart; their values go into `values`.

    The same reasons as `resources.access.reasons`, each with an index of its own; a property test holds them together.
    """
    if asker.sees_everything:
        return ["true"]
    conditions = []
    if asker.user is not None:
        values["user"] = asker.user
        conditions.append("owner_id = %(user)s")
    # A literal, for the planner: the index of open rows is a partial one.
    conditions += [f"visibility = '{visibility}'" for visibility in asker.open_visibilities]
    for place, type_key in enumerate(sorted({*asker.reads.types, *asker.writes.types})):
        values[f"type{place}"] = type_key
        conditions.append(f"type = %(type{place})s")
    return conditions


def _shares(asker: Asker, values: dict[str, Any]) -> str:
    """Return the statement of the ids that are shared with the asker; its values go into `values` by name."""
    text, parameters = Share.objects.live_for(asker).values("resource_id").query.sql_with_params()
    names = [f"share{place}" for place in range(len(parameters))]
    values.update(zip(names, parameters, strict=True))
    return text % tuple(f"%({name})s" for name in names)
