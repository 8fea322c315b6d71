"""The tags in use, one row for each tag of each live resource: what `resources.tags` says, in the order of tags.

A column of lists answers which rows have a tag and never which tags there are. A trigger keeps this copy in the
transaction of each write; nobody else writes it, and it has no foreign key because the trigger is one.
"""

from django.db import models
from django.db.models import Q

from resources.visibility import Visibility


class ResourceTag(models.Model):
    """One tag of one live resource, with what decides who may read it; `key` is the tag in lower case."""

    pk = models.CompositePrimaryKey("resource_id", "tag")
    resource_id = models.UUIDField()
    key = models.CharField(max_length=100, db_collation="C")
    tag = models.CharField(max_length=50, db_collation="C")
    owner_id = models.UUIDField()
    visibility = models.CharField(max_length=10)
    type = models.CharField(max_length=50)

    class Meta:
        db_table = "resource_tags"
        indexes = [
            models.Index(fields=["key", "tag"], name="idx_resource_tags_key"),
            models.Index(fields=["owner_id", "key", "tag"], name="idx_resource_tags_owner"),
            models.Index(fields=["type", "key", "tag"], name="idx_resource_tags_type"),
            models.Index(
                fields=["visibility", "key", "tag"],
                condition=~Q(visibility=Visibility.PRIVATE),
                name="idx_resource_tags_visibility",
            ),
        ]

    def __str__(self) -> str:
        return self.tag
