"""What a changed schema asks of the records that are there: unique values taken, references written, values sealed."""

from collections.abc import Iterable, Iterator
from time import monotonic
from typing import Any, Final
from uuid import UUID

import orjson
from django.db import connection, transaction

from accounts.models import Role
from core.errors import Detail, ValidationFailed
from resources.keywords.sealing import opened, sealed
from resources.models import Resource, ResourceReference, ResourceType, ResourceVersion, UniqueValue
from resources.schemas.keywords import OWNER, READ, REFERENCE, WRITE, Keywords, Path
from resources.services.misfits import TooManyToJudge
from resources.services.side_rows import Written, add_references, taken_values, targets, unique_values

CHUNK: Final = 2_000

STORE_DATA: Final = """
UPDATE resources SET data = changed.data::jsonb
FROM unnest(%s::uuid[], %s::text[]) AS changed (id, data) WHERE resources.id = changed.id
"""
STORE_SNAPSHOT: Final = """
UPDATE resource_versions SET snapshot = jsonb_set(snapshot, '{data}', changed.data::jsonb)
FROM unnest(%s::uuid[], %s::text[]) AS changed (id, data) WHERE resource_versions.id = changed.id
"""


def refuse_unknown_names(keywords: Keywords, *, key: str) -> None:
    """Raise `ValidationFailed` for roles and types that keywords name and do not exist; `key` is the type's own."""
    details = [*_unknown_roles(keywords), *_unknown_types(keywords, key)]
    if details:
        raise ValidationFailed(details=details[:20])


def names_in(keywords: Keywords, *, key: str) -> tuple[set[str], set[str]]:
    """Return the roles and the types that keywords name; `key` is the type's own."""
    roles = {role for rule in (*keywords.read, *keywords.write) for role in rule.roles} - {OWNER}
    return roles, {reference.type for reference in keywords.references} - {key}


def backfill(key: str, old: Keywords, new: Keywords, *, patience: float | None = None) -> set[UUID]:
    """Put the rows beside the live records of a type in step with its new keywords; return which records do not fit.

    Of several with one value the oldest keeps it. Those that do not fit are as they were, and without such rows. Raises
    `TooManyToJudge` when it takes more than `patience` seconds.
    """
    end = None if patience is None else monotonic() + patience
    _forget(key, old, new)
    unique = tuple(path for path in new.unique if path not in old.unique)
    references = tuple(one for one in new.references if one not in old.references)
    misfits: set[UUID] = set()
    if unique or references:
        for chunk in chunks(Resource.objects.filter(type__key=key).values_list("id", "data")):
            misfits |= fill(key, chunk, Keywords(unique=unique, references=references))
            if end is not None and monotonic() > end:
                raise TooManyToJudge
    return misfits


def out_of_step(key: str, keywords: Keywords) -> Iterator[UUID]:
    """Yield the live records of a type whose unique values or references are not the rows that stand for them."""
    if not keywords.unique and not keywords.references:
        return
    for chunk in chunks(Resource.objects.filter(type__key=key).values_list("id", "data")):
        ids = [row_id for row_id, _ in chunk]
        values: dict[UUID, set[tuple[str, bytes]]] = {}
        for row_id, path, digest in UniqueValue.objects.filter(resource_id__in=ids).values_list(
            "resource_id", "path", "digest"
        ):
            values.setdefault(row_id, set()).add((path, bytes(digest)))
        links: dict[UUID, set[tuple[str, UUID]]] = {}
        for row_id, path, target in ResourceReference.objects.filter(resource_id__in=ids).values_list(
            "resource_id", "path", "target_id"
        ):
            links.setdefault(row_id, set()).add((path, target))
        for row_id, data in chunk:
            clear = opened(data, row_id)
            wanted = {(dotted(one.path), target) for one in keywords.references for target in targets(clear, one)}
            if unique_values(clear, keywords) != values.get(row_id, set()) or wanted != links.get(row_id, set()):
                yield row_id


@transaction.atomic
def put_in_step(key: str, keywords: Keywords) -> int:
    """Write the unique values and references of a type anew, and seal what is to be; return how many do not fit."""
    reseal(key, Keywords(), keywords)
    backfill(key, keywords, Keywords())
    return len(backfill(key, Keywords(), keywords))


def reseal(key: str, old: Keywords, new: Keywords) -> None:
    """Seal what is encrypted from now on, and open what no longer is, in every record of the type and its history."""
    if set(old.encrypted) == set(new.encrypted):
        return
    keep_quiet()
    # Locked, so that nobody's write between the look and this one is lost. Records first: a change in between leaves
    # the first version of its record as it was.
    rows = Resource.all_objects.filter(type__key=key).values_list("id", "id", "data")
    rows = rows.select_for_update(of=("self",), no_key=True)
    versions = ResourceVersion.objects.filter(resource__type__key=key).values_list(
        "id", "resource_id", "snapshot__data"
    )
    for statement, values in ((STORE_DATA, rows), (STORE_SNAPSHOT, versions)):
        for chunk in chunks(values):
            store_sealed(statement, chunk, new.encrypted)


def keep_quiet() -> None:
    """Let what is rewritten in this transaction keep its time of change: to its readers it is as it was."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL nook.reindexing = 'on'")


def fill(key: str, chunk: list[Any], keywords: Keywords) -> set[UUID]:
    """Write the rows beside these live records (id, data) that have none; return which records do not fit."""
    rows = [Written(row_id, key, {}, opened(data, row_id), keywords) for row_id, data in chunk]
    taken = taken_values(rows)
    wanted = [
        ResourceReference(resource_id=row.id, path=dotted(one.path), target_id=target, on_delete=one.on_delete)
        for row in rows
        for one in keywords.references
        for target in dict.fromkeys(targets(row.after, one))
    ]
    kinds = dict(
        Resource.objects.filter(id__in={row.target_id for row in wanted}).order_by().values_list("id", "type_id")
    )
    types = {dotted(one.path): one.type for one in keywords.references}
    fitting = [row for row in wanted if kinds.get(row.target_id) == types[row.path]]
    add_references(fitting)
    fit = set(map(id, fitting))
    return {*taken, *(row.resource_id for row in wanted if id(row) not in fit)}


def _forget(key: str, old: Keywords, new: Keywords) -> None:
    """Remove the rows of paths whose keyword has gone or says something else now."""
    gone = [dotted(path) for path in old.unique if path not in new.unique]
    if gone:
        UniqueValue.objects.filter(type__key=key, path__in=gone).delete()
    ended = [dotted(one.path) for one in old.references if one not in new.references]
    if ended:
        ResourceReference.objects.filter(resource__type__key=key, path__in=ended).delete()


def store_sealed(statement: str, chunk: list[Any], encrypted: tuple[Path, ...]) -> None:
    """Write the data of the chunk (row, resource, data) that is not sealed as these paths say."""
    changed: list[tuple[UUID, str]] = []
    for row_id, resource_id, data in chunk:
        stored = sealed(opened(data, resource_id), encrypted, resource_id=resource_id, stored=data)
        if stored != data:
            changed.append((row_id, orjson.dumps(stored).decode()))
    if changed:
        with connection.cursor() as cursor:
            cursor.execute(statement, [[one for one, _ in changed], [text for _, text in changed]])


def chunks(rows: Any) -> Iterator[list[Any]]:
    """Yield rows whose first column is the primary key, in its order, a chunk at a time."""
    last: UUID | None = None
    while True:
        ordered = rows.order_by("id")
        chunk = list((ordered.filter(id__gt=last) if last else ordered)[:CHUNK])
        if chunk:
            yield chunk
        if len(chunk) < CHUNK:
            return
        last = chunk[-1][0]


def _unknown_roles(keywords: Keywords) -> Iterator[Detail]:
    named, _ = names_in(keywords, key="")
    missing = named - set(Role.objects.filter(name__in=named).values_list("name", flat=True)) if named else set()
    for keyword, rules in ((READ, keywords.read), (WRITE, keywords.write)):
        for rule in rules:
            for role in sorted(rule.roles & missing):
                yield Detail(_at(rule.path, keyword), "unknown_role", f"There is no role {role[:50]}.")


def _unknown_types(keywords: Keywords, key: str) -> Iterator[Detail]:
    _, named = names_in(keywords, key=key)
    missing = named - set(ResourceType.objects.filter(key__in=named).values_list("key", flat=True)) if named else set()
    for reference in keywords.references:
        if reference.type in missing:
            at = _at(reference.path, REFERENCE, is_list=reference.is_list)
            yield Detail(at, "unknown_type", f"There is no type {reference.type[:50]}.")


def dotted(path: Iterable[str]) -> str:
    """Return the path as rows and messages spell it."""
    return ".".join(path)


def _at(path: Path, keyword: str, *, is_list: bool = False) -> str:
    steps = "".join(f".properties.{name}" for name in path)
    return f"schema{steps}{'.items' if is_list else ''}.{keyword}"
