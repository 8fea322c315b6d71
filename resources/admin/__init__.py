"""The pages of resources in the Django admin."""

from resources.admin.comments import CommentAdmin
from resources.admin.files import FileVersionAdmin
from resources.admin.indexes import TypeIndexAdmin
from resources.admin.records import ResourceAdmin
from resources.admin.saved_views import SavedViewAdmin
from resources.admin.types import ResourceTypeAdmin
from resources.admin.watches import WatchAdmin

__all__ = [
    "CommentAdmin",
    "FileVersionAdmin",
    "ResourceAdmin",
    "ResourceTypeAdmin",
    "SavedViewAdmin",
    "TypeIndexAdmin",
    "WatchAdmin",
]
