"""Passkeys' credentials as browsers send them: the JSON of WebAuthn Level 3 (`PublicKeyCredential.toJSON()`)."""

from typing import Any, Final

from rest_framework import serializers

from accounts.models.passkeys import LONGEST_CREDENTIAL_ID

_CREDENTIAL_ID: Final = "AQIDBAUGBwgJCgsMDQ4PEA"
_CLIENT_DATA: Final = "eyJ0eXBlIjoid2ViYXV0aG4uZ2V0IiwiY2hhbGxlbmdlIjoiLi4uIn0"
CHALLENGE_EXAMPLE: Final = "kfV1r4rTQ2aGm3vKnXv2lS0w1Cw8q2hC7p3G5m9dXyE"
REQUEST_OPTIONS_EXAMPLE: Final = {
    "challenge": CHALLENGE_EXAMPLE,
    "timeout": 300000,
    "rpId": "nook.example",
    "allowCredentials": [],
    "userVerification": "required",
}
NEW_CREDENTIAL_EXAMPLE: Final = {
    "id": _CREDENTIAL_ID,
    "rawId": _CREDENTIAL_ID,
    "type": "public-key",
    "response": {"clientDataJSON": _CLIENT_DATA, "attestationObject": "o2NmbXRkbm9uZQ", "transports": ["internal"]},
}
CREDENTIAL_EXAMPLE: Final = {
    "id": _CREDENTIAL_ID,
    "rawId": _CREDENTIAL_ID,
    "type": "public-key",
    "response": {
        "clientDataJSON": _CLIENT_DATA,
        "authenticatorData": "SZYN5YgOjGh0NBcPZHZgW4_krrmihjLHmVzzuoMdl2MFAAAAAQ",
        "signature": "MEUCIQDx",
        "userHandle": "c29tZSByYW5kb20gYnl0ZXM",
    },
}


class _Bytes(serializers.CharField):
    """Bytes as base64url, as WebAuthn writes them in JSON."""

    default_error_messages = {"not_base64url": "Give base64url without padding."}

    def to_internal_value(self, data: Any) -> str:
        text = str(super().to_internal_value(data))
        if not text.isascii() or not text.replace("-", "").replace("_", "").isalnum():
            self.fail("not_base64url")
        return text


class _NewResponse(serializers.Serializer[Any]):
    clientDataJSON = _Bytes(max_length=8192)
    attestationObject = _Bytes(max_length=65536)
    transports = serializers.ListField(child=serializers.CharField(max_length=32), max_length=16, default=list)


class _Response(serializers.Serializer[Any]):
    clientDataJSON = _Bytes(max_length=8192)
    authenticatorData = _Bytes(max_length=16384)
    signature = _Bytes(max_length=2048)
    userHandle = _Bytes(max_length=128, allow_null=True, default=None)


# Not strict: browsers add members (extension results, parsed copies of the bytes) as the standard grows.
class NewCredentialField(serializers.Serializer[Any]):
    """What `navigator.credentials.create` gave, by its `toJSON()`; members not named here are left unread."""

    id = _Bytes(max_length=LONGEST_CREDENTIAL_ID)
    rawId = _Bytes(max_length=LONGEST_CREDENTIAL_ID)
    type = serializers.ChoiceField(choices=["public-key"])
    response = _NewResponse()


class CredentialField(serializers.Serializer[Any]):
    """What `navigator.credentials.get` gave, by its `toJSON()`; members not named here are left unread."""

    id = _Bytes(max_length=LONGEST_CREDENTIAL_ID)
    rawId = _Bytes(max_length=LONGEST_CREDENTIAL_ID)
    type = serializers.ChoiceField(choices=["public-key"])
    response = _Response()


class PasskeyShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    transports = serializers.ListField(child=serializers.CharField())
    backup_eligible = serializers.BooleanField(help_text="Whether the key may be synchronised between devices.")
    backed_up = serializers.BooleanField(help_text="Whether it is.")
    last_used_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class OptionsShape(serializers.Serializer[Any]):
    options = serializers.JSONField(help_text="Options as WebAuthn Level 3 writes them in JSON.")
