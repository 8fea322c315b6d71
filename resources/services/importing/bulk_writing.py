"""Many resources written at once: rows, versions and events by COPY, each batch a handful of statements.

What is written is what `create_resource` and `replace_resource` write one by one. Ids that are taken are found out
beforehand; where somebody takes one in between, the constraint refuses the batch, and the step is done again.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final
from uuid import UUID

import orjson
from django.db import connection
from django.db.models import BooleanField
from django.db.models.expressions import RawSQL

from core.copying import NULL, array, cell, copy_lines, copy_rows
from core.errors import Detail
from core.events import Telling, publish_many, publish_spelt, spell_many
from core.identifiers import uuid7
from core.permissions import Caller
from resources.changes import difference
from resources.models import Resource
from resources.schemas import Keywords, compiled
from resources.services.importing.rows import Row, Spelt
from resources.services.records import Kind
from resources.services.writing import state_of, told_of

TAKEN: Final = Detail("external_id", "unique", "There is a resource of yours with this external id already.")
TWICE: Final = Detail("external_id", "repeated", "Another row of the file has this external id.")

_CREATED: Final = "resource.created"
_RESOURCE: Final = (
    *("id", "type", "owner_id", "name", "description", "status", "visibility", "data", "tags", "external_id"),
    "schema_version",
)
_VERSION: Final = ("id", "resource_id", "number", "action", "actor_id", "snapshot", "changed")
_UPDATE: Final = """
UPDATE resources SET name = new.name, description = new.description, visibility = new.visibility,
    data = new.data::jsonb, tags = new.tags::text[], version = version + 1, schema_version = %(schema_version)s
FROM unnest(%(ids)s::uuid[], %(names)s::text[], %(descriptions)s::text[], %(visibilities)s::text[],
            %(data)s::text[], %(tags)s::text[]) AS new (id, name, description, visibility, data, tags)
WHERE resources.id = new.id
"""
_TAG: Final = ("resource_id", "key", "tag", "owner_id", "visibility", "type")


Change = tuple[Resource, dict[str, Any], dict[str, Any], dict[str, Any]]
"""A resource as it is from now on, what was and what is at the paths that differ, and what its event tells of that."""


class Writer:
    """Writes rows of one type that are the caller's own."""

    def __init__(self, actor: Caller, kind: Kind, *, search_plan: str = "") -> None:
        """Name who writes, and the type; `search_plan` is what the trigger that finds words is told of it.

        Nothing lets it look for itself, at each row; `none` says that the type has none.
        """
        self.actor = actor
        self.owner_id: Final = actor.own_id
        self.kind = kind
        self._search_plan = search_plan
        self.keywords: Final[Keywords] = compiled(kind.id, kind.schema_version).keywords
        self._owner = str(self.owner_id)

    @property
    def facts(self) -> tuple[Any, ...]:
        """Return all that what is spelt depends on, beside the row."""
        actor = self.actor
        return (actor.id, actor.impersonated_by, self.kind)

    def existing(self, rows: Iterable[Row]) -> dict[str, Resource]:
        """Return the owner's live resources that have the external ids of the rows, locked, by these ids."""
        wanted = {row.external_id for row in rows if row.external_id is not None}
        if not wanted:
            return {}
        # One array: two thousand parameters cost more than what they ask for, and a join reads the whole table.
        among = RawSQL("external_id = ANY(%s::varchar[])", [sorted(wanted)], output_field=BooleanField())
        own = Resource.objects.filter(among, owner_id=self.owner_id, type_id=self.kind.key)
        found = own.order_by("id")
        return {str(resource.external_id): resource for resource in found.select_for_update(no_key=True)}

    def spell_ahead(self, rows: Sequence[Row]) -> None:
        """Keep with the rows what will be written of them if they are new; any thread may do it."""
        for row, spelt in zip(rows, self._spelt(rows), strict=True):
            row.spelt = spelt

    def _spelt(self, rows: Sequence[Row]) -> Iterator[Spelt]:
        """Yield what is written of new resources, as lines of COPY; this asks no database."""
        tellings = [Telling(row.id, self._told(row, self._state(row))) for row in rows]
        told = spell_many(_CREATED, subject_type="resource", actor=self.actor, tellings=tellings)
        for row, event in zip(rows, told, strict=True):
            is_ascii = all(map(str.isascii, row.tags))
            yield Spelt(self._line(row), self._tag_lines(row, str.lower) if is_ascii else None, event)

    def create(self, rows: Sequence[Row]) -> None:
        """Write new resources, each with its event; the owner makes them, so each is its first version itself."""
        if not rows:
            return
        ahead = [row.spelt for row in rows if row.spelt is not None]
        spelt = ahead if len(ahead) == len(rows) else list(self._spelt(rows))
        with _telling_triggers(copies_tags="on", search_plan=self._search_plan):
            copy_lines("resources", _RESOURCE, [one.resource for one in spelt])
        tags = [one.tags for one in spelt if one.tags]
        tags += self._asked_tag_lines([row for row, one in zip(rows, spelt, strict=True) if one.tags is None])
        if tags:
            copy_lines("resource_tags", _TAG, tags)
        publish_spelt(_CREATED, [one.event for one in spelt])

    def _asked_tag_lines(self, rows: Sequence[Row]) -> list[str]:
        keys = _keys_of({tag for row in rows for tag in row.tags})
        return [self._tag_lines(row, keys.__getitem__) for row in rows]

    def _tag_lines(self, row: Row, key_of: Callable[[str], str]) -> str:
        rest = f"{self._owner}\t{self._visibility(row)}\t{self.kind.key}\n"
        return "".join([f"{row.id}\t{cell(key_of(tag))}\t{cell(tag)}\t{rest}" for tag in row.tags])

    def _told(self, row: Row, state: str) -> str:
        """Return what the event of a new resource says: its state, without what not everybody may read."""
        if not self.keywords.read:
            return f'{{"before":{{}},"after":{state}}}'
        return _json(told_of(UUID(row.id), {}, orjson.loads(state), self.keywords))

    def _visibility(self, row: Row) -> str:
        return row.visibility or self.kind.default_visibility

    def _line(self, row: Row) -> str:
        kind = self.kind
        about = f"{row.id}\t{kind.key}\t{self._owner}\t{cell(row.name)}\t{cell(row.description)}"
        kept = f"{kind.initial}\t{self._visibility(row)}\t{cell(row.raw_data.decode())}\t{cell(array(row.tags))}"
        return f"{about}\t{kept}\t{NULL if row.external_id is None else cell(row.external_id)}\t{kind.schema_version}\n"

    def _state(self, row: Row) -> str:
        """Return the whole state of a new resource as JSON: what its version keeps and its event tells."""
        state = {
            "type": self.kind.key,
            "owner": self._owner,
            "name": row.name,
            "description": row.description,
            "status": self.kind.initial,
            "visibility": self._visibility(row),
            "data": orjson.Fragment(row.raw_data),
            "tags": row.tags,
            "external_id": row.external_id,
            "schema_version": self.kind.schema_version,
        }
        return _json(state)

    def replace(self, pairs: Sequence[tuple[Resource, Row]]) -> None:
        """Put the rows in the place of what the locked resources hold; one that says the same is not written."""
        changes = [change for change in (self._change(*pair) for pair in pairs) if change is not None]
        if not changes:
            return
        _update([resource for resource, *_ in changes], self.kind.schema_version)
        versions = (
            (
                uuid7(),
                one.id,
                one.version,
                "updated",
                self.actor.id,
                _json(state_of(one)),
                array(sorted({**old, **new})),
            )
            for one, old, new, _ in changes
        )
        copy_rows("resource_versions", _VERSION, versions)
        tellings = [Telling(one.id, _json(told)) for one, _, _, told in changes]
        publish_many("resource.updated", subject_type="resource", actor=self.actor, tellings=tellings)

    def _change(self, resource: Resource, row: Row) -> Change | None:
        values = {
            "name": row.name,
            "description": row.description,
            "visibility": row.visibility or resource.visibility,
            "data": row.data if row.stored is None else row.stored,
            "tags": row.tags,
        }
        if all(getattr(resource, name) == value for name, value in values.items()):
            return None
        before = state_of(resource)
        for name, value in values.items():
            setattr(resource, name, value)
        resource.schema_version = self.kind.schema_version
        resource.version += 1
        after = state_of(resource)
        return resource, *difference(before, after), told_of(resource.id, before, after, self.keywords)


@contextmanager
def _telling_triggers(**settings: str) -> Iterator[None]:
    """Tell triggers what they need not find out row by row; what fails takes it back with everything else."""
    told = ", ".join("set_config(%s, %s, true)" for _ in settings)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {told}", [part for name, value in settings.items() for part in (f"nook.{name}", value)])
        yield
        cursor.execute(f"SELECT {told}", [part for name in settings for part in (f"nook.{name}", "")])


def _keys_of(tags: set[str]) -> dict[str, str]:
    """Return each tag in lower case, as PostgreSQL has it: of other scripts than ASCII that is not always Python's."""
    if not tags:
        return {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT tag, lower(tag) FROM unnest(%s::text[]) AS one (tag)", [list(tags)])
        return dict(cursor.fetchall())


def _update(resources: Sequence[Resource], schema_version: int) -> None:
    values: dict[str, Any] = {
        "ids": [one.id for one in resources],
        "names": [one.name for one in resources],
        "descriptions": [one.description for one in resources],
        "visibilities": [one.visibility for one in resources],
        "data": [_json(one.data) for one in resources],
        "tags": [array(one.tags) for one in resources],
        "schema_version": schema_version,
    }
    with connection.cursor() as cursor:
        cursor.execute(_UPDATE, values)


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
