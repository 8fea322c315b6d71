from resources.models.records import Resource, ResourceQuerySet
from resources.models.shares import Share
from resources.models.types import ITEM, ResourceType
from resources.models.versions import ResourceVersion

__all__ = ["ITEM", "Resource", "ResourceQuerySet", "ResourceType", "ResourceVersion", "Share"]
