"""`/devices`: the browsers and apps that take one's push notices."""

from typing import Any, Final
from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from core.api.access import ANY_TOKEN, PUBLIC, SIGNED_IN
from core.api.envelope import created, no_content, success
from core.api.operations import operation
from core.api.pagination import paginate
from core.api.query import CreatedQuery, parse_query, trimmed
from core.api.serializers import StrictSerializer, parse
from core.api.views import ApiView
from core.errors import ActingOnBehalf, Conflict, NotFound, ValidationFailed
from notifications.channels.push import web
from notifications.models.devices import PLATFORMS, WEB, Device
from notifications.services import devices

_EXAMPLE: Final = {
    "id": "01a1fbd6-5e33-7c26-8b9f-8f3d4b1c2e77",
    "platform": "web",
    "name": "Firefox at work",
    "last_registered_at": "2026-11-21T09:30:00.000000Z",
    "last_reached_at": None,
    "created_at": "2026-11-21T09:30:00.000000Z",
}
_KEY_EXAMPLE: Final = (
    "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"  # gitleaks:allow
)
REGISTRATION_EXAMPLE: Final = {
    "platform": "web",
    "subscription": {
        "endpoint": "https://updates.push.services.mozilla.com/wpush/v2/gAAAAABl",
        "keys": {"p256dh": _KEY_EXAMPLE, "auth": "BTBZMqHH6r4Tts7J_aSIgg"},
    },
    "name": "Firefox at work",
}
_SORTS: Final = {"created_at": "created_at"}


class SubscriptionKeysInput(StrictSerializer):
    p256dh = serializers.CharField(max_length=200)
    auth = serializers.CharField(max_length=100)


class SubscriptionInput(StrictSerializer):
    """A browser's `PushSubscription`, as its `toJSON()` gives it."""

    ignored_fields = frozenset({"expirationTime"})

    endpoint = serializers.CharField(max_length=2048)
    keys = SubscriptionKeysInput()


class DeviceInput(StrictSerializer):
    platform = serializers.ChoiceField(choices=PLATFORMS)
    token = serializers.CharField(required=False, max_length=4096, help_text="Of FCM or APNs.")
    subscription = SubscriptionInput(required=False, help_text="Of a browser.")
    name = serializers.CharField(required=False, allow_blank=True, max_length=100, default="")


class DeviceShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    platform = serializers.ChoiceField(choices=PLATFORMS)
    name = serializers.CharField(allow_blank=True)
    last_registered_at = serializers.DateTimeField()
    last_reached_at = serializers.DateTimeField(allow_null=True, help_text="When a notice was last taken for it.")
    created_at = serializers.DateTimeField()


class WebPushKeyShape(serializers.Serializer[Any]):
    public_key = serializers.CharField(help_text="The `applicationServerKey` to subscribe with (base64url).")


DeviceListQuery: Final = trimmed(CreatedQuery, DeviceShape)


class Devices(ApiView):
    access = {"GET": SIGNED_IN, "POST": SIGNED_IN}

    @operation(
        "List one's devices",
        description="Newest first; tokens and subscriptions are shown nowhere.",
        query=DeviceListQuery,
        response=DeviceShape,
        many=True,
        paginated=True,
        response_example=[_EXAMPLE],
    )
    def get(self, request: Request) -> HttpResponse:
        query = parse_query(DeviceListQuery, request)
        own = Device.objects.visible_to(self.caller)
        return paginate(own, request, query, shape=device_shape, sorts=_SORTS, default_sort="-created_at")

    @operation(
        "Register a device",
        description=(
            'A browser (`"platform": "web"`) gives its `subscription`, an app the `token` of its provider. Register '
            "at every start: the same token or subscription is the same device, whoever had it before. It is told "
            "nothing any more once the session that registered it ends."
        ),
        request=DeviceInput,
        response=DeviceShape,
        may_create=True,
        request_example=REGISTRATION_EXAMPLE,
        response_example=_EXAMPLE,
        errors=(Conflict, ActingOnBehalf),
    )
    def post(self, request: Request) -> HttpResponse:
        body = parse(DeviceInput, request)
        device, is_new = devices.register_device(
            actor=self.caller, platform=body["platform"], address=_address(body), name=body["name"]
        )
        shown = device_shape(device)
        return created(shown, location=f"/api/v1/devices/{device.pk}") if is_new else success(shown)


class OneDevice(ApiView):
    access = {"DELETE": SIGNED_IN}

    @operation("Remove one of one's devices", status=204)
    def delete(self, request: Request, device_id: UUID) -> HttpResponse:
        devices.remove_device(actor=self.caller, device_id=device_id)
        return no_content()


class WebPushKey(ApiView):
    access = {"GET": PUBLIC}
    token_scopes = {"GET": ANY_TOKEN}

    @operation(
        "Show the key that browsers subscribe with",
        description="404 where this server sends no push notices to browsers.",
        response=WebPushKeyShape,
        response_example={"public_key": _KEY_EXAMPLE},
        errors=(NotFound,),
    )
    def get(self, request: Request) -> HttpResponse:
        if not web.is_configured():
            raise NotFound
        return success({"public_key": web.public_key()})


def device_shape(device: Device) -> dict[str, Any]:
    """Return a device as the API shows it."""
    return {name: getattr(device, name) for name in _EXAMPLE}


def _address(body: dict[str, Any]) -> dict[str, str]:
    """Return what the provider knows the device by; raises `ValidationFailed` when the platform's is missing."""
    wanted, other = ("subscription", "token") if body["platform"] == WEB else ("token", "subscription")
    if wanted not in body:
        raise ValidationFailed.of(wanted, "required", "This field is required.")
    if other in body:
        raise ValidationFailed.of(other, "unknown_field", "There is no such field for this platform.")
    if body["platform"] != WEB:
        return {"token": body["token"]}
    subscription = body["subscription"]
    return {"endpoint": subscription["endpoint"], **subscription["keys"]}
