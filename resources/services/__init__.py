from resources.services.bin import destroy_resource, move_to_bin, restore_resource
from resources.services.records import Content, create_resource, patch_resource, replace_resource
from resources.services.reverting import revert_resource
from resources.services.transferring import transfer_resource
from resources.services.transitions import make_transition, transitions_open_to
from resources.services.upserting import upsert_resource

__all__ = [
    "Content",
    "create_resource",
    "destroy_resource",
    "make_transition",
    "move_to_bin",
    "patch_resource",
    "replace_resource",
    "restore_resource",
    "revert_resource",
    "transfer_resource",
    "transitions_open_to",
    "upsert_resource",
]
