"""`/notifications/preferences`: each kind on each channel, quiet hours, digests."""

import zoneinfo
from functools import partial
from typing import Any, Final

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from core.api.access import SIGNED_IN
from core.api.concurrency import etag, not_modified, require_match
from core.api.envelope import success
from core.api.operations import operation
from core.api.serializers import StrictSerializer, parse
from core.api.views import ApiView
from core.errors import PreconditionFailed
from notifications.kinds import KINDS
from notifications.models import DIGESTS, OFF, NotificationPreferences
from notifications.services import preferences as service
from notifications.services.preferences import NewPreferences

_CLOCK: Final = "%H:%M"


class QuietHoursShape(StrictSerializer):
    """From one reading of a wall clock to another; past midnight where the second is the earlier one."""

    start = serializers.TimeField(format=_CLOCK, input_formats=[_CLOCK])
    end = serializers.TimeField(format=_CLOCK, input_formats=[_CLOCK])
    time_zone = serializers.CharField(
        required=False, allow_blank=True, max_length=64, help_text="An IANA name; empty or left out: the profile's."
    )

    def validate_time_zone(self, name: str) -> str:
        if name and name not in zoneinfo.available_timezones():
            raise serializers.ValidationError("Give a name such as Europe/Vienna or UTC.", code="unknown_time_zone")
        return name

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["start"] == attrs["end"]:
            message = serializers.ErrorDetail("Quiet hours begin and end at different times.", code="empty")
            raise serializers.ValidationError({"end": [message]})
        return attrs


class KindShape(StrictSerializer):
    kind = serializers.CharField()
    title = serializers.CharField()
    category = serializers.CharField()
    channels = serializers.ListField(child=serializers.CharField())
    locked = serializers.BooleanField()


class PreferencesInput(StrictSerializer):
    """Preferences whole: what is left out has its default."""

    ignored_fields = frozenset({"kinds"})

    matrix = serializers.DictField(
        child=serializers.DictField(child=serializers.BooleanField()),
        required=False,
        help_text="`{kind: {channel: wanted}}`; kinds and channels that are left out have their defaults.",
    )
    quiet_hours = QuietHoursShape(required=False, allow_null=True)
    digest = serializers.ChoiceField(choices=DIGESTS, default=OFF)


class PreferencesShape(StrictSerializer):
    matrix = serializers.DictField(child=serializers.DictField(child=serializers.BooleanField()))
    quiet_hours = QuietHoursShape(allow_null=True)
    digest = serializers.ChoiceField(choices=DIGESTS)
    kinds = KindShape(many=True)


_CHANGE_EXAMPLE: Final = {
    "matrix": {"resource.commented": {"in_app": True, "email": False}},
    "quiet_hours": {"start": "22:00", "end": "07:00", "time_zone": "Europe/Vienna"},
    "digest": "daily",
}
_EXAMPLE: Final = {
    **_CHANGE_EXAMPLE,
    "kinds": [
        {
            "kind": "resource.commented",
            "title": "Somebody commented on what you follow",
            "category": "work",
            "channels": ["in_app", "email"],
            "locked": False,
        }
    ],
}
_WHAT: Final = (
    "`matrix` says for each kind on which channels it is told; a `locked` kind is about the safety of the account and "
    "is always told. In quiet hours nothing leaves that can wait; it does when they end. With a digest, mails that can "
    "wait go together, at the full hour or at eight in the morning of the profile's time zone."
)


class Preferences(ApiView):
    access = {"GET": SIGNED_IN, "PUT": SIGNED_IN}

    @operation(
        "Show how one is told",
        description=_WHAT,
        response=PreferencesShape,
        response_example=_EXAMPLE,
        etag=True,
    )
    def get(self, request: Request) -> HttpResponse:
        preferences = service.preferences_of(self.caller.own_id)
        return not_modified(request, preferences.version) or _answer(preferences)

    @operation(
        "Say how one wants to be told",
        description=_WHAT,
        request=PreferencesInput,
        response=PreferencesShape,
        request_example=_CHANGE_EXAMPLE,
        response_example=_EXAMPLE,
        errors=(PreconditionFailed,),
        etag=True,
    )
    def put(self, request: Request) -> HttpResponse:
        body = parse(PreferencesInput, request)
        quiet = body.get("quiet_hours") or {}
        new = NewPreferences(
            matrix=body.get("matrix", {}),
            quiet_from=quiet.get("start"),
            quiet_until=quiet.get("end"),
            quiet_time_zone=quiet.get("time_zone", ""),
            digest=body["digest"],
        )
        check_version = partial(require_match, request)
        return _answer(service.set_preferences(actor=self.caller, new=new, check_version=check_version))


def _answer(preferences: NotificationPreferences) -> HttpResponse:
    quiet = preferences.quiet_hours
    shown = {
        "matrix": service.matrix_of(preferences),
        "quiet_hours": quiet
        and {
            "start": f"{quiet[0]:{_CLOCK}}",
            "end": f"{quiet[1]:{_CLOCK}}",
            "time_zone": preferences.quiet_time_zone,
        },
        "digest": preferences.digest,
        "kinds": [
            {
                "kind": code,
                "title": kind.title,
                "category": kind.category,
                "channels": kind.all_channels,
                "locked": not kind.may_be_switched_off,
            }
            for code, kind in sorted(KINDS.items())
        ],
    }
    return success(shown, headers={"ETag": etag(preferences.version)})
