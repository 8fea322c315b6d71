"""`/auth/mfa/passkeys…` and `/auth/passkeys/login…`: WebAuthn, with the JSON that browsers read and write.

Options are what `PublicKeyCredential.parseCreationOptionsFromJSON` and `parseRequestOptionsFromJSON` take; a
credential is what its `toJSON()` gives.
"""

from typing import Final
from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from accounts.api import cookies
from accounts.api.credentials import (
    CHALLENGE_EXAMPLE,
    CREDENTIAL_EXAMPLE,
    NEW_CREDENTIAL_EXAMPLE,
    REQUEST_OPTIONS_EXAMPLE,
    CredentialField,
    NewCredentialField,
    OptionsShape,
    PasskeyShape,
)
from accounts.api.pairs import COOKIE, PAIR_EXAMPLE, SignedInShape, TransportField, answer_sign_in
from accounts.api.shapes import USER_EXAMPLE
from accounts.services import passkey_sign_in, passkeys
from accounts.services.passkey_sign_in import describe_passkey
from core.api.access import PUBLIC, SIGNED_IN
from core.api.envelope import created, no_content, success
from core.api.fields import NameField
from core.api.operations import operation
from core.api.serializers import StrictSerializer, parse
from core.api.views import ApiView
from core.errors import Conflict, InvalidCredentials, ReauthenticationRequired

PASSKEY_EXAMPLE: Final = {
    "id": "01a1fbd6-77aa-7d10-8c44-1a5c5e1f0a11",
    "name": "Chrome on macOS",
    "transports": ["hybrid", "internal"],
    "backup_eligible": True,
    "backed_up": True,
    "last_used_at": None,
    "created_at": "2026-11-21T09:30:00.000000Z",
}
CREATION_OPTIONS_EXAMPLE: Final = {
    "rp": {"name": "Nook Link", "id": "nook.example"},
    "user": {"id": "c29tZSByYW5kb20gYnl0ZXM", "name": "olive@example.com", "displayName": "Olive Owner"},
    "challenge": CHALLENGE_EXAMPLE,
    "pubKeyCredParams": [{"type": "public-key", "alg": -8}, {"type": "public-key", "alg": -7}],
    "timeout": 300000,
    "excludeCredentials": [],
    "authenticatorSelection": {
        "residentKey": "required",
        "requireResidentKey": True,
        "userVerification": "required",
    },
    "attestation": "none",
}


class NewPasskeyShape(PasskeyShape):
    recovery_codes = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Ten, shown this once, where none were left."
    )


class PasskeyOptions(ApiView):
    access = {"POST": SIGNED_IN}
    rate_limit = "auth"
    open_before_enrollment = True

    @operation(
        "Begin to add a passkey",
        description=(
            "Needs a sign-in within the last ten minutes. `options` are for `PublicKeyCredential."
            "parseCreationOptionsFromJSON`; they serve once, within five minutes, in this session."
        ),
        response=OptionsShape,
        response_example={"options": CREATION_OPTIONS_EXAMPLE},
        errors=(ReauthenticationRequired, Conflict),
    )
    def post(self, request: Request) -> HttpResponse:
        return success({"options": passkeys.begin_registration(actor=self.caller)})


class NewPasskeyInput(StrictSerializer):
    name = NameField(max_length=100, required=False, help_text="Left out: the browser and system at hand.")
    credential = NewCredentialField()


class Passkeys(ApiView):
    access = {"POST": SIGNED_IN}
    rate_limit = "auth"
    open_before_enrollment = True

    @operation(
        "Add the passkey that the browser has made",
        description=(
            "Needs a sign-in within the last ten minutes. This session has two factors from then on, every other one "
            "ends. Where no recovery codes were left, ten come with the answer, shown this once."
        ),
        request=NewPasskeyInput,
        response=NewPasskeyShape,
        status=201,
        request_example={"name": "Chrome on macOS", "credential": NEW_CREDENTIAL_EXAMPLE},
        response_example=PASSKEY_EXAMPLE,
        errors=(ReauthenticationRequired, Conflict),
    )
    def post(self, request: Request) -> HttpResponse:
        added = passkeys.register_passkey(actor=self.caller, **parse(NewPasskeyInput, request))
        codes = {"recovery_codes": added.recovery_codes} if added.recovery_codes else {}
        return created({**describe_passkey(added.passkey), **codes}, location=f"{request.path}/{added.passkey.pk}")


class PasskeyNameInput(StrictSerializer):
    name = NameField(max_length=100)


class OnePasskey(ApiView):
    access = {"PATCH": SIGNED_IN, "DELETE": SIGNED_IN}
    open_before_enrollment = True

    @operation(
        "Rename one of one's passkeys",
        request=PasskeyNameInput,
        response=PasskeyShape,
        request_example={"name": "The key on my key ring"},
        response_example={**PASSKEY_EXAMPLE, "name": "The key on my key ring"},
    )
    def patch(self, request: Request, passkey_id: UUID) -> HttpResponse:
        name = parse(PasskeyNameInput, request)["name"]
        return success(describe_passkey(passkeys.rename_passkey(actor=self.caller, passkey_id=passkey_id, name=name)))

    @operation(
        "Remove one of one's passkeys",
        description=(
            "Needs a sign-in within the last ten minutes. Every other session of the account ends. Without another "
            "method two-factor sign-in is off then, which a role that demands it does not allow: 409."
        ),
        status=204,
        errors=(ReauthenticationRequired, Conflict),
    )
    def delete(self, request: Request, passkey_id: UUID) -> HttpResponse:
        passkeys.remove_passkey(actor=self.caller, passkey_id=passkey_id)
        return no_content()


class PasskeyLoginOptions(ApiView):
    access = {"POST": PUBLIC}
    rate_limit = "auth"
    authentication_classes = []

    @operation(
        "Begin to sign in with a passkey",
        description=(
            "No user is named: the browser offers the passkeys it holds for this site. `options` are for "
            "`PublicKeyCredential.parseRequestOptionsFromJSON`; they serve once, within five minutes."
        ),
        response=OptionsShape,
        response_example={"options": REQUEST_OPTIONS_EXAMPLE},
    )
    def post(self, request: Request) -> HttpResponse:
        return success({"options": passkey_sign_in.begin_sign_in()})


class PasskeyLoginInput(StrictSerializer):
    credential = CredentialField()
    token_transport = TransportField()


class PasskeyLogin(ApiView):
    access = {"POST": PUBLIC}
    rate_limit = "auth"
    ignored_cookies = frozenset({cookies.DEVICE})
    authentication_classes = []

    @operation(
        "Sign in with a passkey alone",
        description=(
            "A passkey is two factors in one (the key, and a PIN or a finger), so no other is asked for. One "
            "refusal, `INVALID_CREDENTIALS`, for whatever does not serve."
        ),
        request=PasskeyLoginInput,
        response=SignedInShape,
        request_example={"credential": CREDENTIAL_EXAMPLE},
        response_example={**PAIR_EXAMPLE, "user": USER_EXAMPLE},
        errors=(InvalidCredentials,),
    )
    def post(self, request: Request) -> HttpResponse:
        body = parse(PasskeyLoginInput, request)
        device_token = request.COOKIES.get(cookies.DEVICE, "")
        opened = passkey_sign_in.sign_in_with_passkey(credential=body["credential"], device_token=device_token)
        return answer_sign_in(opened, by_cookie=body["token_transport"] == COOKIE)
