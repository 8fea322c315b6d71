"""Resource types as configuration: members as over the API, without what one database went through."""

from collections.abc import Iterator
from typing import Final

from core.configuration import Document, Part, complete_document, register
from core.permissions import Caller
from resources.models import ITEM, Resource, ResourceType
from resources.schemas import refuse_bad_schema, refuse_bad_workflow
from resources.services import types
from resources.services.misfits import count_misfits

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

    def create(self, actor: Caller, document: Document) -> None:
        types.create_type(actor=actor, new=types.NewType(**document))

    def change(self, actor: Caller, key: str, changes: Document, *, force: bool) -> None:
        types.change_type(actor=actor, key=key, changes=changes, force=force, patience=None)

    def delete(self, actor: Caller, key: str) -> None:
        types.delete_type(actor=actor, key=key)

    def obstacle_to_change(self, key: str, changes: Document) -> str:
        number = count_misfits(key, changes)
        return f"{number} live resource(s) would not fit" if number else ""

    def obstacle_to_deletion(self, key: str) -> str:
        number = Resource.all_objects.filter(type_id=key).count()
        return f"{number} resource(s) have it, those in the bin included" if number else ""


register(Types())
