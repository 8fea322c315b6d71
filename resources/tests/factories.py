"""Resources for tests, made straight in the tables."""

from typing import Any

from accounts.models import User
from core.permissions import SYSTEM, Caller
from resources.access import Level
from resources.models import Resource, ResourceType, Share
from resources.services import types


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
