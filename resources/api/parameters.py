"""The query strings of single resources."""

from rest_framework import serializers

from core.api.query import Query


class DeletionQuery(Query):
    """Whether a deletion is for good."""

    permanent = serializers.BooleanField(default=False, help_text="Destroy instead of moving to the bin.")
