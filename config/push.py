"""Keys of push providers, refused at the start of a process when they are none."""

import json
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from config import env
from core.crypto.pairs import private_key_of

_MEMBERS: Final = ("project_id", "client_email", "private_key", "token_uri")


def vapid_key(text: str) -> str:
    """Return the base64url text of a P-256 private key of 32 bytes; raises `ConfigurationError` for anything else."""
    if not text:
        return ""
    try:
        private_key_of(text)
    except ValueError:
        raise env.ConfigurationError("VAPID_PRIVATE_KEY is no key: `manage.py vapid_keys` makes one.") from None
    return text


def fcm_account(text: str) -> str:
    """Return the JSON text of a service account; raises `ConfigurationError` for anything else."""
    if not text:
        return ""
    try:
        account = json.loads(text)
        load_pem_private_key(account["private_key"].encode(), password=None)
        is_whole = all(isinstance(account[name], str) and account[name] for name in _MEMBERS)
    except (ValueError, KeyError, TypeError, AttributeError):
        is_whole = False
    if not is_whole:
        raise env.ConfigurationError(f"FCM_SERVICE_ACCOUNT must be a JSON key with {', '.join(_MEMBERS)}.")
    return text


def apns_key(text: str) -> str:
    """Return the PEM text of a P-256 private key; raises `ConfigurationError` for anything else."""
    if not text:
        return ""
    try:
        key = load_pem_private_key(text.encode(), password=None)
    except ValueError:
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise env.ConfigurationError("APNS_KEY must be the .p8 key (PEM) that Apple gave you.")
    return text
