from resources.services.bin import destroy_resource, move_to_bin, restore_resource
from resources.services.records import Content, create_resource, patch_resource, replace_resource

__all__ = [
    "Content",
    "create_resource",
    "destroy_resource",
    "move_to_bin",
    "patch_resource",
    "replace_resource",
    "restore_resource",
]
