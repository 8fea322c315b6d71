"""The pages of resources in the Django admin."""

from resources.admin.files import FileVersionAdmin
from resources.admin.records import ResourceAdmin
from resources.admin.types import ResourceTypeAdmin

__all__ = ["FileVersionAdmin", "ResourceAdmin", "ResourceTypeAdmin"]
