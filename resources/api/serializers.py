"""The bodies of resources: what is taken in, and what is given out (for the OpenAPI text)."""

from typing import Any, Final

from rest_framework import serializers

from core.api.fields import NameField, PlainTextField
from core.api.serializers import StrictSerializer
from resources.visibility import Visibility

MAX_TAGS: Final = 50
_SERVER_WRITTEN: Final = frozenset(
    {"id", "status", "owner", "version", "schema_version", "access", "created_at", "updated_at", "deleted_at"}
)


class DataField(serializers.JSONField):
    """A JSON object."""

    default_error_messages = {"not_an_object": "Give a JSON object."}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.fail("not_an_object")
        return data


class TagsField(serializers.ListField):
    """Tags in the order given, each once."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(child=NameField(max_length=50), max_length=MAX_TAGS, **kwargs)

    def to_internal_value(self, data: Any) -> list[str]:
        return list(dict.fromkeys(super().to_internal_value(data)))


class ContentInput(StrictSerializer):
    """What a caller writes of a resource."""

    ignored_fields = _SERVER_WRITTEN

    name = NameField()
    description = PlainTextField(required=False, allow_blank=True, max_length=10_000)
    visibility = serializers.ChoiceField(required=False, choices=Visibility.choices)
    data = DataField(required=False)  # type: ignore[assignment]  # the metaclass takes it; the property stays
    tags = TagsField(required=False)
    external_id = NameField(required=False, allow_null=True, max_length=200)


class NewResourceInput(ContentInput):
    """What a new resource is made of."""

    type = serializers.RegexField(r"^[a-z][a-z0-9_-]{0,49}$", required=False)


class ChangedResourceInput(ContentInput):
    """What a resource is changed to; its type stays."""

    type = serializers.CharField(required=False)


class OwnerShape(serializers.Serializer[Any]):
    """Whose a resource is."""

    id = serializers.UUIDField()
    name = serializers.CharField()


class ResourceShape(serializers.Serializer[Any]):
    """A resource as it is given out."""

    id = serializers.UUIDField()
    type = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    status = serializers.CharField()
    visibility = serializers.ChoiceField(choices=Visibility.choices)
    data = serializers.DictField()  # type: ignore[assignment]  # as above
    tags = serializers.ListField(child=serializers.CharField())
    external_id = serializers.CharField(allow_null=True)
    owner = OwnerShape()
    version = serializers.IntegerField()
    schema_version = serializers.IntegerField()
    access = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    deleted_at = serializers.DateTimeField(allow_null=True)


class VersionShape(serializers.Serializer[Any]):
    """One write of a resource."""

    number = serializers.IntegerField()
    action = serializers.CharField()
    actor = OwnerShape(allow_null=True)
    changed = serializers.ListField(child=serializers.CharField())
    created_at = serializers.DateTimeField()


class VersionDetailShape(VersionShape):
    """One write of a resource, with the whole state after it."""

    snapshot = serializers.DictField()


class PersonShape(OwnerShape):
    """Somebody as everyone may see them."""

    avatar = serializers.CharField(allow_null=True)


class LinkShape(serializers.Serializer[Any]):
    """What a link asks for, and how often it was opened."""

    has_password = serializers.BooleanField()
    max_uses = serializers.IntegerField(allow_null=True)
    uses = serializers.IntegerField()


class ShareShape(serializers.Serializer[Any]):
    """A share: one of user, role and link is not null."""

    id = serializers.UUIDField()
    user = PersonShape(allow_null=True)
    role = serializers.CharField(allow_null=True)
    link = LinkShape(allow_null=True)
    access = serializers.CharField()
    expires_at = serializers.DateTimeField(allow_null=True)
    given_by = PersonShape()
    live = serializers.BooleanField(help_text="Whether it gives what it says at this moment.")
    created_at = serializers.DateTimeField()


class VerdictShape(serializers.Serializer[Any]):
    """Whether somebody may do something, and why."""

    allowed = serializers.BooleanField()
    because = serializers.ListField(child=serializers.CharField())
    would_need = serializers.ListField(child=serializers.CharField())


class SharedShape(ResourceShape):
    """A resource as a link shows it."""

    owner = PersonShape()
