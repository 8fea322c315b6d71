"""Resource types as configuration: members as over the API, without what one database went through."""

from collections.abc import Iterator, Mapping, Set
from dataclasses import replace
from typing import Final

from core.configuration import Document, Part, complete_document, register
from core.permissions import Caller
from resources.models import ITEM, Resource, ResourceType
from resources.schemas import Keywords, refuse_bad_schema, refuse_bad_workflow
from resources.services import types
from resources.services.forecasts import count_refused
from resources.services.keyword_changes import names_in

_KINDS: Final[dict[str, type]] = {
    "key": str,
    "name": str,
    "description": str,
    "icon": str,
    "schema": dict,
    "workflow": dict,
    "default_visibility": str,
    "comments": bool,
    "trash_days": int,
}


class Types(Part):
    """The types, `item` included."""

    name = "types"
    key = "key"
    lasting = frozenset({ITEM})

    def stored(self) -> Iterator[Document]:
        for kind in ResourceType.objects.order_by("key"):
            yield {name: getattr(kind, name) for name in _KINDS}

    def complete(self, document: Document) -> Document:
        whole = complete_document(document, ResourceType(schema={"type": "object"}), _KINDS)
        refuse_bad_schema(whole["schema"])
        refuse_bad_workflow(whole["workflow"])
        return whole

    def in_order(self, documents: Mapping[str, Document]) -> list[str]:
        """Return the keys such that a type comes after those that it refers to, as far as there is such an order."""
        ordered: dict[str, None] = {}
        for key in sorted(documents):
            _put(key, documents, ordered, frozenset())
        return list(ordered)

    def create(self, actor: Caller, document: Document) -> None:
        new = types.NewType(**document)
        if _named_by(document) - {new.key} - set(ResourceType.objects.values_list("key", flat=True)):
            # Types that refer to each other: this one gets its schema when the others are there.
            new = replace(new, schema={"type": "object"})
        types.create_type(actor=actor, new=new)

    def change(self, actor: Caller, key: str, changes: Document, *, force: bool) -> None:
        types.change_type(actor=actor, key=key, changes=changes, force=force, patience=None)

    def delete(self, actor: Caller, key: str) -> None:
        types.delete_type(actor=actor, key=key)

    def obstacle_to_change(self, key: str, changes: Document) -> str:
        number = count_refused(key, changes)
        return f"{number} live resource(s) would not fit" if number else ""

    def unknown_names(self, document: Document, there: Mapping[str, Set[str]]) -> str:
        if "schema" not in document:
            return ""
        roles, kinds = names_in(Keywords.of(document["schema"]), key=document.get("key", ""))
        missing = [f"no role {name}" for name in sorted(roles - there["roles"])]
        missing += [f"no type {name}" for name in sorted(kinds - there[self.name])]
        return f"there is {', '.join(missing)}" if missing else ""

    def obstacle_to_deletion(self, key: str) -> str:
        number = Resource.all_objects.filter(type_id=key).count()
        return f"{number} resource(s) have it, those in the bin included" if number else ""


def _named_by(document: Document) -> set[str]:
    return {reference.type for reference in Keywords.of(document["schema"]).references}


def _put(key: str, documents: Mapping[str, Document], ordered: dict[str, None], waiting: frozenset[str]) -> None:
    """Add the type after those that it refers to; one that waits for it in turn comes as it comes."""
    if key in ordered or key in waiting or key not in documents:
        return
    for named in sorted(_named_by(documents[key])):
        _put(named, documents, ordered, waiting | {key})
    ordered[key] = None


register(Types())
