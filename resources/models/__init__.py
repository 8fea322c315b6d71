from resources.models.appearances import AppearanceChange
from resources.models.comments import MAX_BODY, Comment
from resources.models.files import (
    STORED,
    File,
    FileState,
    FileVariant,
    FileVariantQuerySet,
    FileVersion,
    ResourceFile,
)
from resources.models.followings import SEARCH, SHARES, VALUES, SchemaFollowing
from resources.models.imports import DryRunKey
from resources.models.indexes import IndexState, TypeIndex
from resources.models.keywords import ResourceReference, UniqueValue
from resources.models.records import Form, Resource, ResourceQuerySet, form_for, is_among, share_level
from resources.models.saved_views import SavedView, SavedViewQuerySet
from resources.models.shares import Share, ShareQuerySet
from resources.models.tags import ResourceTag
from resources.models.types import ITEM, ResourceType, ResourceTypeVersion
from resources.models.versions import ResourceHistory, ResourceVersion
from resources.models.watches import Watch

__all__ = [
    "ITEM",
    "MAX_BODY",
    "SEARCH",
    "SHARES",
    "STORED",
    "VALUES",
    "AppearanceChange",
    "Comment",
    "DryRunKey",
    "File",
    "FileState",
    "FileVariant",
    "FileVariantQuerySet",
    "FileVersion",
    "Form",
    "IndexState",
    "Resource",
    "ResourceFile",
    "ResourceHistory",
    "ResourceQuerySet",
    "ResourceReference",
    "ResourceTag",
    "ResourceType",
    "ResourceTypeVersion",
    "ResourceVersion",
    "SavedView",
    "SavedViewQuerySet",
    "SchemaFollowing",
    "Share",
    "ShareQuerySet",
    "TypeIndex",
    "UniqueValue",
    "Watch",
    "form_for",
    "is_among",
    "share_level",
]
