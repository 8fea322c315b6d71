"""Everything that is encrypted, and every random token: see the modules for the rules."""

from core.crypto.fields import EncryptedBytesField, EncryptedField, EncryptedJSONField, EncryptedTextField
from core.crypto.keyring import DecryptionFailed, decrypt, encrypt, key_id_of
from core.crypto.tokens import is_well_formed_token, random_token, token_digest, token_from

__all__ = [
    "DecryptionFailed",
    "EncryptedBytesField",
    "EncryptedField",
    "EncryptedJSONField",
    "EncryptedTextField",
    "decrypt",
    "encrypt",
    "is_well_formed_token",
    "key_id_of",
    "random_token",
    "token_digest",
    "token_from",
]
