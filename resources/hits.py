"""Questions that few rows answer: those are looked at one by one, whoever asks.

A filter over data, or a search, can begin at what one may read or at what its index finds. Which is less, PostgreSQL
cannot know (it keeps no statistics of partial indexes), and planning anew for each caller takes longer than all the
rest. So a statement takes what there is little of, and looks at each row: at all one may read, where that is up to
`FEW_MINE`; else at up to `FEW_HITS` rows from the index, each with a test for a reason to read, unless the words that
are looked for are known to be in many rows. Where both are more, a second one looks at up to `MOST_MINE` that one may
read, laid out once (`laid_out`; not for a search: reading what words a row has takes longer). Past those the list is
put together of its parts. One plan of the first two is best for everybody, and is kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import BooleanField
from django.db.models.expressions import Combinable, RawSQL

from core.plans import Fragment, Row, Statement, Unseen
from resources import laid_out
from resources.models import Resource, ResourceQuerySet
from resources.query import TEXT
from resources.shapes import ListShape
from resources.walks import Rows, ids_of, newest_in_parts

FEW_MINE: Final = 300
FEW_HITS: Final = 500
MANY_HITS: Final = 5_000
"""From so many rows on a word is common, and not looked up in vain."""

MOST_MINE: Final = 2_500
"""How many rows are looked at one by one: a millisecond or two, five at most."""

_LED_TO: Final = frozenset({"eq", "in", "gt", "gte", "lt", "lte", "part", "contained"})

_ANSWER: Final = """
WITH mine AS MATERIALIZED (SELECT id FROM ({mine}) AS mine (id) LIMIT {most} + 1),
     {before},
     readable (id, {names}) AS MATERIALIZED ({readable})
SELECT answer.*, ({are_few})::integer
FROM ({answer}) AS answer
"""
_BY_EITHER_BEFORE: Final = "words AS MATERIALIZED ({words}), hits AS MATERIALIZED ({hits})"
_BY_READABLE_BEFORE: Final = "laid_out ({columns}) AS MATERIALIZED (SELECT * FROM ({rows}) AS laid_out WHERE {are_few})"
_ARE_MINE: Final = "(SELECT count(*) FROM mine) <= {}"
_HITS: Final = """
SELECT id FROM mine WHERE {few}
UNION ALL (SELECT id FROM ({candidates} LIMIT {most} + 1) AS found (id)
           WHERE NOT ({few}) AND NOT (TABLE words))
"""

# A word is looked up whole in its index before the first row is looked at. The statistics know those that many hold.
_ARE_COMMON: Final = """
SELECT cardinality(asked.words) > 0 AND cardinality(asked.words) = (
    SELECT count(*)
    FROM pg_stats, unnest(most_common_elems::text::text[], most_common_elem_freqs) AS known (word, share)
    WHERE schemaname = current_schema() AND tablename = 'resources' AND attname = 'search'
      AND known.word = ANY(asked.words)
      AND known.share * (SELECT reltuples FROM pg_class WHERE oid = 'resources'::regclass) > {many})
FROM (SELECT tsvector_to_array(to_tsvector('nook', %s::text))) AS asked (words)
"""

# As an array the ids are looked up in their order, in which rows lie that are of one time. In a search it would not do:
# the planner, who takes an array for ten rows and words for rare, would look them up in their index once more.
_LOOKED_AT: Final = '"resources"."id" = ANY(ARRAY(SELECT id FROM hits))'
_LOOKED_AT_IN_SEARCH: Final = '"resources"."id" IN (SELECT id FROM hits)'

FOUND: Final = Fragment("TABLE readable")
"""Ids and sort keys of what was found, inside the answer."""


@dataclass(frozen=True, slots=True)
class FewRows:
    """Statements that answer where rows are few, in turn, and the one that answers where they are not."""

    attempts: tuple[Statement, ...]
    by_parts: Statement

    def fetch(self, values: Mapping[str, Any]) -> Row | None:
        """Return the first row, as `Statement.fetch` does."""
        for attempt in self.attempts:
            row = attempt.fetch(values)
            if row is not None and row[-1] == b"1":
                return row[:-1]
        return self.by_parts.fetch(values)

    def chosen(self, values: Mapping[str, Any]) -> Statement:
        """Return the statement that answers; for guards and for whoever measures."""
        for attempt in self.attempts:
            row = attempt.fetch(values)
            if row is not None and row[-1] == b"1":
                return attempt
        return self.by_parts

    def explain(self, values: Mapping[str, Any], *, options: str = "COSTS OFF") -> str:
        """Return how PostgreSQL would run the statement that answers."""
        return self.chosen(values).explain(values, options=options)


@dataclass(frozen=True, slots=True)
class Way:
    """How many of the readable rows, and of those that an index finds, are looked at."""

    mine: int
    hits: int = 0

    @property
    def are_few(self) -> str:
        """Return the condition under which it answers."""
        mine = _ARE_MINE.format(self.mine)
        if not self.hits:
            return mine
        return f"{mine} OR (NOT (TABLE words) AND (SELECT count(*) FROM hits) <= {self.hits})"  # noqa: S608  # numbers


_BY_EITHER: Final = Way(FEW_MINE, FEW_HITS)
_BY_READABLE: Final = Way(MOST_MINE)


def ways_for(listed: ListShape) -> tuple[Way, ...]:
    """Return the ways in which few rows may answer: where an index finds them, and where all that is read is sorted."""
    if not listed.shape.sees_little or listed.access or listed.shape.in_bin:
        return ()
    if listed.is_search:
        # Of words that are not rare, the planner does know how many rows hold them.
        return (_BY_EITHER,)
    if any(one.comparison in _LED_TO for one in listed.data):
        return _BY_EITHER, _BY_READABLE
    return (_BY_READABLE,) if listed.by else ()


def rows_by(way: Way, listed: ListShape) -> ResourceQuerySet:
    """Return the rows that are looked at; what the list asks for has still to be tested."""
    rows: ResourceQuerySet = Resource.all_objects.get_queryset()
    if not way.hits:
        # They stand over what is laid out, and that is all readable.
        return rows
    are_few = RawSQL(f"({way.are_few})", [], BooleanField())  # noqa: S611  # constants
    text = _LOOKED_AT_IN_SEARCH if listed.is_search else _LOOKED_AT
    looked_at = RawSQL(text, [], BooleanField())  # noqa: S611  # constants
    # What one may read was found as such, and what an index finds was not.
    return rows.filter(are_few, looked_at).visible_one_by_one(listed.shape.asker)


def statement(
    way: Way, listed: ListShape, candidates: Rows, found: Sequence[tuple[Rows, list[Combinable]]], answer: Fragment
) -> Statement:
    """Return the statement that puts `answer` together of `found` (see `FOUND`): rows with the keys they are sorted by.

    `candidates` are those that match, whoever may read them.
    """
    questions = [Fragment.of(rows.order_by().values_list("id", *keys)) for rows, keys in found]
    return Statement(
        _ANSWER,
        mine=Fragment.united([ids_of(rows) for rows in newest_in_parts(listed.shape.asker)]),
        most=Fragment(str(way.mine)),
        before=_hits(way, listed, candidates) if way.hits else _laid_out(way, listed, questions),
        names=Fragment(", ".join(f"_by{place}" for place in range(len(found[0][1])))),
        readable=Fragment.united(questions if way.hits else [laid_out.over(question) for question in questions]),
        are_few=Fragment(way.are_few),
        answer=answer,
    )


def _laid_out(way: Way, listed: ListShape, questions: Sequence[Fragment]) -> Fragment:
    """Return the common table of all that one may read, with what the questions ask of it; empty where it is much."""
    columns = laid_out.columns_for(questions)
    pieces = {"rows": laid_out.rows_of(listed, columns), "are_few": Fragment(way.are_few)}
    pieces["columns"] = Fragment(", ".join(f'"{column}"' for column in columns))
    return Fragment.filled(_BY_READABLE_BEFORE, pieces)


def _hits(way: Way, listed: ListShape, candidates: Rows) -> Fragment:
    """Return the common table of the ids that are looked at: of what one may read, or of what the index finds."""
    few = Fragment(_ARE_MINE.format(way.mine))
    hits = {"few": few, "candidates": ids_of(candidates.order_by()), "most": Fragment(str(way.hits))}
    pieces = {"words": _common_words(listed), "hits": Fragment.filled(_HITS, hits)}
    return Fragment.filled(_BY_EITHER_BEFORE, pieces)


def _common_words(listed: ListShape) -> Fragment:
    """Return whether every word that is looked for is one that many rows hold."""
    if not listed.is_search or listed.alike:
        return Fragment("SELECT false")
    return Fragment(_ARE_COMMON.format(many=MANY_HITS), (Unseen("q", TEXT),))
