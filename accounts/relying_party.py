"""What this server is to authenticators (WebAuthn Level 3): a relying party. The one place that knows py_webauthn.

We ask for no attestation and judge none: which maker's authenticator somebody uses is their own affair.
User verification is required everywhere, so a passkey is two factors: the thing, and a PIN or a finger.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from django.conf import settings
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    base64url_to_bytes,
    bytes_to_base64url,
    encode_cbor,
    options_to_json_dict,
    parse_cbor,
    parse_client_data_json,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from accounts.models import Passkey, PasskeyChallenge, User
from accounts.models.passkeys import LONGEST_CREDENTIAL_ID

TIMEOUT_MILLISECONDS: Final = 300_000
_ALGORITHMS: Final = [
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
]
_LONGEST_PUBLIC_KEY: Final = 600
"""RSA of 4,096 bits; longer ones only cost time at each sign-in."""

# What the library lets through when the bytes are not what they should be: it reads them as if they were.
_MALFORMED: Final = (
    *(WebAuthnException, InvalidSignature, UnsupportedAlgorithm),
    *(ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError),
)

_ID: Final = re.compile(rf"[A-Za-z0-9_-]{{1,{LONGEST_CREDENTIAL_ID}}}")

Credential = Mapping[str, Any]
Verified = TypeVar("Verified")


class Refused(Exception):
    """The authenticator's answer does not prove what it should; the text is for our logs and tests."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """What a registration says of the key."""

    credential_id: str
    public_key: bytes
    sign_count: int
    aaguid: UUID
    transports: list[str]
    backup_eligible: bool
    backed_up: bool


@dataclass(frozen=True, slots=True)
class Proof:
    """What an assertion says beside that the key is there."""

    sign_count: int
    backed_up: bool


def relying_party_id() -> str:
    """Return the domain that passkeys are bound to: changing it makes every passkey useless."""
    return settings.PASSKEY_RP_ID or _named(urlsplit(settings.PUBLIC_URL).hostname or "")


def allowed_origins() -> list[str]:
    """Return the origins whose pages may use passkeys here, as browsers write them."""
    return list(settings.PASSKEY_ORIGINS) or [_origin(settings.PUBLIC_URL)]


def registration_options(*, user: User, challenge: PasskeyChallenge, known: Iterable[Passkey]) -> dict[str, Any]:
    """Return what `navigator.credentials.create` takes (`PublicKeyCredentialCreationOptionsJSON`)."""
    options = generate_registration_options(
        rp_id=relying_party_id(),
        rp_name=settings.SITE_NAME,
        user_id=base64url_to_bytes(challenge.user_handle),
        user_name=user.email,
        user_display_name=user.name,
        challenge=base64url_to_bytes(challenge.challenge),
        timeout=TIMEOUT_MILLISECONDS,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=_descriptors(known),
        supported_pub_key_algs=_ALGORITHMS,
    )
    return options_to_json_dict(options)


def assertion_options(*, challenge: PasskeyChallenge, known: Iterable[Passkey] = ()) -> dict[str, Any]:
    """Return what `navigator.credentials.get` takes (`PublicKeyCredentialRequestOptionsJSON`)."""
    options = generate_authentication_options(
        rp_id=relying_party_id(),
        challenge=base64url_to_bytes(challenge.challenge),
        timeout=TIMEOUT_MILLISECONDS,
        allow_credentials=_descriptors(known),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return options_to_json_dict(options)


def challenge_in(credential: Credential) -> str:
    """Return the challenge that the credential says it has signed; raises `Refused` when it names none.

    A page in a frame of another site's page is refused here: it could borrow the user's gesture. So is what has
    not the shape of a credential, whoever was to look at it before.
    """
    response = credential.get("response")
    if not isinstance(response, Mapping) or not _ID.fullmatch(str(credential.get("id"))):
        raise Refused("This is no credential.")
    data = _checked(lambda: parse_client_data_json(base64url_to_bytes(credential["response"]["clientDataJSON"])))
    if data.cross_origin:
        raise Refused("The credential was made in a page of another site.")
    return _checked(lambda: bytes_to_base64url(data.challenge))


def verified_registration(*, credential: Credential, challenge: str) -> NewKey:
    """Return the new key; raises `Refused` unless it was made for us, on the challenge, with user verification."""
    found = _checked(
        lambda: verify_registration_response(
            credential=_without_attestation(credential),
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=relying_party_id(),
            expected_origin=allowed_origins(),
            require_user_verification=True,
            supported_pub_key_algs=_ALGORITHMS,
        )
    )
    if bytes_to_base64url(found.credential_id) != credential["id"]:
        raise Refused("The credential goes by another id than the one it was made with.")
    if len(found.credential_public_key) > _LONGEST_PUBLIC_KEY:
        raise Refused("The public key is too long.")
    return NewKey(
        credential_id=credential["id"],
        public_key=found.credential_public_key,
        sign_count=found.sign_count,
        aaguid=_checked(lambda: UUID(found.aaguid)),
        transports=_known_transports(credential["response"].get("transports") or []),
        backup_eligible=_is_eligible(found.credential_device_type),
        backed_up=found.credential_backed_up,
    )


def verified_assertion(*, credential: Credential, challenge: str, passkey: Passkey) -> Proof:
    """Return what the passkey has proved; raises `Refused` unless it signed our challenge with user verification.

    The sign count is for the caller to compare, under the lock that orders two sign-ins: the library would do it
    before it has looked at the signature, so whoever knows an id could accuse a key of having been copied.
    """
    _refuse_other_account(credential, passkey)
    found = _checked(
        lambda: verify_authentication_response(
            credential=dict(credential),
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=relying_party_id(),
            expected_origin=allowed_origins(),
            credential_public_key=bytes(passkey.public_key),
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    )
    if _is_eligible(found.credential_device_type) != passkey.backup_eligible:
        raise Refused("The key changed whether it may be backed up, which a key never does.")
    return Proof(sign_count=found.new_sign_count, backed_up=found.credential_backed_up)


def _checked(read: Callable[[], Verified]) -> Verified:
    try:
        return read()
    except _MALFORMED as error:
        raise Refused(str(error)) from error


def _refuse_other_account(credential: Credential, passkey: Passkey) -> None:
    handle = credential["response"].get("userHandle")
    if handle and str(handle).rstrip("=") != passkey.user_handle:
        raise Refused("The authenticator holds this key for another account.")


def _without_attestation(credential: Credential) -> dict[str, Any]:
    """Return the credential with the statement of its maker left out, which some send though nobody asked."""
    response = dict(credential["response"])
    attested = parse_cbor(base64url_to_bytes(response["attestationObject"]))
    bare = {"fmt": "none", "attStmt": {}, "authData": attested["authData"]}
    return {**credential, "response": {**response, "attestationObject": bytes_to_base64url(encode_cbor(bare))}}


def _descriptors(passkeys: Iterable[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=base64url_to_bytes(passkey.credential_id),
            transports=[AuthenticatorTransport(name) for name in passkey.transports],
        )
        for passkey in passkeys
    ]


def _known_transports(names: Iterable[str]) -> list[str]:
    known = {transport.value for transport in AuthenticatorTransport}
    return sorted({name for name in names if name in known})


def _is_eligible(device_type: CredentialDeviceType) -> bool:
    return device_type is CredentialDeviceType.MULTI_DEVICE


def _origin(url: str) -> str:
    """Return the URL's origin as browsers write it: no path, no port that goes without saying."""
    parts = urlsplit(url)
    host = _named(parts.hostname or "")
    usual = {"https": 443, "http": 80}.get(parts.scheme)
    return f"{parts.scheme}://{host}" if parts.port in {None, usual} else f"{parts.scheme}://{host}:{parts.port}"


def _named(host: str) -> str:
    """Return `localhost` for this machine's address: browsers bind passkeys to names only."""
    try:
        return "localhost" if ip_address(host).is_loopback else host
    except ValueError:
        return host
