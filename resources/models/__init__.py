from resources.models.records import Form, Resource, ResourceQuerySet, form_for, share_level
from resources.models.shares import Share
from resources.models.types import ITEM, ResourceType, ResourceTypeVersion
from resources.models.versions import ResourceVersion

__all__ = [
    "ITEM",
    "Form",
    "Resource",
    "ResourceQuerySet",
    "ResourceType",
    "ResourceTypeVersion",
    "ResourceVersion",
    "Share",
    "form_for",
    "share_level",
]
