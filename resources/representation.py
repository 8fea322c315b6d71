"""What a resource looks like to a client: each field of the contract, as SQL."""

from collections.abc import Callable
from typing import Final

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import (
    BooleanField,
    Case,
    ExpressionWrapper,
    F,
    Func,
    JSONField,
    OuterRef,
    Q,
    TextField,
    Value,
    When,
)
from django.db.models.expressions import Combinable
from django.db.models.lookups import GreaterThanOrEqual

from accounts.avatars import avatar_url_in_sql
from resources.access import Asker, Level, level_expression
from resources.keywords.field_rules import shown_data
from resources.models import Comment, ResourceFile, Share, share_level
from resources.query import words

Field = Callable[[Asker], Combinable]


class Rfc3339(Func):
    """A time as text: RFC 3339 in UTC, with microseconds and `Z`."""

    template = """to_char(%(expressions)s AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
    output_field = TextField()


class JsonObject(Func):
    """`json_build_object`: the names, then the expressions, as one object."""

    function = "json_build_object"
    output_field = JSONField()

    def __init__(self, **members: str | Combinable) -> None:
        pairs = [part for name, value in members.items() for part in (Value(name, TextField()), value)]
        super().__init__(*pairs)


def _access(asker: Asker) -> Combinable:
    labels = ", ".join(f"'{level.label}'" for level in Level if level > Level.NONE)
    return Func(
        level_expression(asker, share_level(asker)),
        template=f"(ARRAY[{labels}])[%(expressions)s]",
        output_field=TextField(),
    )


def _column(path: str) -> Field:
    return lambda asker: F(path)


def _time(path: str) -> Field:
    return lambda asker: Rfc3339(F(path))


FIELDS: Final[dict[str, Field]] = {
    "id": _column("id"),
    "type": _column("type_id"),
    "name": _column("name"),
    "description": _column("description"),
    "status": _column("status"),
    "visibility": _column("visibility"),
    "data": shown_data,
    "tags": _column("tags"),
    "external_id": _column("external_id"),
    "owner": lambda asker: JsonObject(id=F("owner_id"), name=F("owner__name")),
    "version": _column("version"),
    "schema_version": _column("schema_version"),
    "access": _access,
    "created_at": _time("created_at"),
    "updated_at": _time("updated_at"),
    "deleted_at": _time("deleted_at"),
}
"""Every field in the order of the contract."""

_FILE: Final = (
    "name",
    "content_type",
    "size",
    "sha256",
    "width",
    "height",
    "state",
)


def _files(asker: Asker) -> Combinable:
    """Return the attached files in the order in which they came; their links are asked for one by one."""
    attached = ResourceFile.objects.filter(resource_id=OuterRef("pk"), file__versions__number=F("file__version"))
    columns = {name: F(f"file__versions__{name}") for name in _FILE}
    shown = JsonObject(
        id=F("file_id"), slot=F("slot"), **columns, version=F("file__version"), created_at=Rfc3339(F("created_at"))
    )
    return ArraySubquery(attached.order_by("created_at", "pk").values(shown=shown), output_field=JSONField())


SHARES_INCLUDED: Final = 100
"""How many shares a resource carries with `include=shares`, the newest; `/resources/{id}/shares` lists them all."""


def _person(path: str) -> Combinable:
    person = JsonObject(id=F(f"{path}_id"), name=F(f"{path}__name"), avatar=avatar_url_in_sql(f"{path}__avatar"))
    return Case(When(**{f"{path}__isnull": False}, then=person), default=None, output_field=JSONField())


def _share() -> Combinable:
    link = JsonObject(
        has_password=ExpressionWrapper(~Q(link_password=""), output_field=BooleanField()),
        max_uses=F("link_max_uses"),
        uses=F("link_uses"),
    )
    levels = ", ".join(f"'{level.label}'" for level in Level.shareable())
    return JsonObject(
        id=F("id"),
        user=_person("user"),
        role=F("role__name"),
        link=Case(When(link_digest__isnull=False, then=link), default=None, output_field=JSONField()),
        access=Func(F("access"), template=f"(ARRAY[{levels}])[%(expressions)s]", output_field=TextField()),
        expires_at=Rfc3339(F("expires_at")),
        given_by=_person("given_by"),
        live=F("is_live"),
        created_at=Rfc3339(F("created_at")),
    )


def _shares(asker: Asker) -> Combinable:
    """Return the shares, for whoever may share the resource; null for everyone else."""
    if asker.user is None:
        return Value(None, TextField())
    shares = Share.objects.filter(resource_id=OuterRef("id")).with_live().order_by("-created_at", "-id")
    listed = ArraySubquery(shares.values_list(_share())[:SHARES_INCLUDED])
    as_json = Func(listed, function="to_json", output_field=JSONField())
    managed = GreaterThanOrEqual(level_expression(asker, share_level(asker)), Level.MANAGER)
    return Case(When(managed, then=as_json), default=None, output_field=JSONField())


COMMENTS_INCLUDED: Final = 20
"""How many comments a resource carries with `include=comments`, the newest; its list of comments has them all."""


def _comments(asker: Asker) -> Combinable:
    """Return the newest comments, the newest first; null where the type takes none."""
    comment = JsonObject(
        id=F("id"),
        author=_person("author"),
        body=F("body"),
        created_at=Rfc3339(F("created_at")),
        edited_at=Rfc3339(F("edited_at")),
        deleted_at=Rfc3339(F("deleted_at")),
    )
    newest = Comment.objects.filter(resource_id=OuterRef("id")).order_by("-created_at", "-id")
    listed = ArraySubquery(newest.values_list(comment)[:COMMENTS_INCLUDED])
    as_json = Func(listed, function="to_json", output_field=JSONField())
    return Case(When(type__comments=True, then=as_json), default=None, output_field=JSONField())


INCLUDES: Final[dict[str, Field]] = {
    "owner": lambda asker: JsonObject(
        id=F("owner_id"), name=F("owner__name"), avatar=avatar_url_in_sql("owner__avatar")
    ),
    "files": _files,
    "shares": _shares,
    "comments": _comments,
}
"""What `include` puts in the place of a field (or beside the fields)."""


HIGHLIGHT: Final = "highlight"
"""What answers to a search carry beside the fields."""

_MARKED: Final = "StartSel=<mark>, StopSel=</mark>"


class _Headline(Func):
    """The text as HTML, escaped, with the words of the search marked: takes the text and the words."""

    template = "ts_headline('nook', replace(replace(replace(%(expressions)s, '%(options)s')"
    arg_joiner = ", '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), "
    output_field = TextField()


def highlight(asker: Asker) -> Combinable:
    """Return where the words of `q` stand: name and description, with `<mark>` around them."""
    return JsonObject(
        name=_Headline(F("name"), words(), options=f"{_MARKED}, HighlightAll=true"),
        description=_Headline(F("description"), words(), options=f"{_MARKED}, MaxFragments=2, MaxWords=20, MinWords=5"),
    )


def selected(fields: tuple[str, ...], includes: tuple[str, ...], *, is_search: bool = False) -> dict[str, Field]:
    """Return the fields that an answer carries; none named means all. `data.price` asks for `data`.

    Where there is `data` there is the id: with it, what is sealed is opened.
    """
    wanted = {name.partition(".")[0] for name in fields}
    if "data" in wanted:
        wanted.add("id")
    known = {**FIELDS, HIGHLIGHT: highlight} if is_search else FIELDS
    chosen = {name: field for name, field in known.items() if not wanted or name in wanted}
    return {**chosen, **{name: INCLUDES[name] for name in includes}}
