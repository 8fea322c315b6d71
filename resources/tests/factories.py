"""Resources for tests, made straight in the tables."""

from io import BytesIO
from typing import Any
from uuid import UUID

from accounts.models import User
from core.permissions import SYSTEM, Caller
from resources.access import Level
from resources.models import File, Resource, ResourceFile, ResourceType, Share
from resources.services import types
from resources.services.file_contents import examine, store
from resources.services.files import add_row


def create_resource(owner: User, **fields: Any) -> Resource:
    """Return a new resource of `owner`."""
    resource: Resource = Resource.objects.create(owner=owner, **{"name": "A thing", **fields})
    return resource


def share(resource: Resource, user: User, level: Level) -> Share:
    """Return a new share of the resource, given by its owner."""
    return Share.objects.create(resource=resource, user=user, access=level, given_by=resource.owner)


def caller(user: User) -> Caller:
    """Return the caller that `user` is."""
    return Caller.of(user)


def create_type(key: str, **fields: Any) -> ResourceType:
    """Return a new type that administrators have made."""
    return types.create_type(actor=SYSTEM, new=types.NewType(key, key.title(), **fields))


def create_file(owner: User, content: bytes = b"A note.\n", name: str = "note.txt", **fields: Any) -> File:
    """Return a new file of `owner` that is stored and ready."""
    stream = BytesIO(content)
    found = examine(stream, name=name)
    file = File.objects.create(owner=owner, **fields)
    add_row(file, number=1, name=name, found=found, key=store(stream))
    return file


def attach(file: File, resource_id: UUID | str, slot: str = "") -> ResourceFile:
    """Attach the file to a resource."""
    File.objects.filter(pk=file.pk).update(unattached_since=None)
    return ResourceFile.objects.create(file=file, resource_id=resource_id, slot=slot)
