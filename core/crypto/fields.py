"""Model fields whose column holds sealed values only.

The primary key is part of what is authenticated, and Django reads columns before it makes the row; so a value
stays sealed until it is first looked at. Bulk `update()` and filters by value are refused: both would need the
plaintext where no row is.
"""

from typing import TYPE_CHECKING, Any, Generic, TypeVar

import orjson
from django.core import checks
from django.core.exceptions import FieldError
from django.db import models
from django.db.models.query_utils import DeferredAttribute

from core.crypto import keyring

Plain = TypeVar("Plain")

if TYPE_CHECKING:
    _Field = models.Field[Any, Any]
else:
    _Field = models.Field


class Sealed(str):
    """A value as the column holds it."""

    __slots__ = ()


class _SealedAttribute(DeferredAttribute):
    """Opens the value the first time somebody looks at it."""

    field: "EncryptedField[Any]"

    def __get__(self, instance: models.Model | None, cls: type[models.Model] | None = None) -> Any:
        value = super().__get__(instance, cls)
        if instance is None or not isinstance(value, Sealed):
            return value
        opened = self.field.open(value, instance.pk)
        instance.__dict__[self.field.attname] = opened
        return opened

    def __set__(self, instance: models.Model, value: Any) -> None:
        # With a setter this goes before the instance's dictionary, where the sealed value waits.
        instance.__dict__[self.field.attname] = value


class EncryptedField(_Field, Generic[Plain]):
    """The base: a text column of sealed values; subclasses say how a value becomes bytes and back."""

    descriptor_class = _SealedAttribute

    def get_internal_type(self) -> str:
        return "TextField"

    def to_bytes(self, value: Plain) -> bytes:
        """Return the bytes that are sealed."""
        raise NotImplementedError

    def from_bytes(self, raw: bytes) -> Plain:
        """Return the value that `to_bytes` was given."""
        raise NotImplementedError

    @property
    def place(self) -> str:
        """Return `app.model.field`: the purpose of the key, and the start of the authenticated context."""
        return f"{self.model._meta.label_lower}.{self.name}"

    def seal(self, value: Plain, primary_key: Any) -> Sealed:
        """Return `value` as the column of the row with this key holds it."""
        if primary_key is None:
            raise FieldError(f"{self.place}: the row needs its primary key before a value can be sealed for it.")
        context = self._context(primary_key)
        return Sealed(keyring.encrypt(self.to_bytes(value), context=context, purpose=self.place))

    def open(self, sealed: str, primary_key: Any) -> Plain:
        """Return the value behind `sealed`; raises `DecryptionFailed` when it was not sealed for this row."""
        context = self._context(primary_key)
        return self.from_bytes(keyring.decrypt(sealed, context=context, purpose=self.place))

    def _context(self, primary_key: Any) -> str:
        return f"{self.place}.{self.model._meta.pk.to_python(primary_key)}"

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Sealed | None:
        return None if value is None else Sealed(value)

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        value = model_instance.__dict__.get(self.attname)
        if value is None or isinstance(value, Sealed):
            return value
        return self.seal(value, model_instance.pk)

    def get_prep_value(self, value: Any) -> Any:
        if value is None or isinstance(value, Sealed):
            return value
        raise FieldError(f"{self.place} is encrypted: no filter by value, and writes only by saving the instance.")

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        return [*super().check(**kwargs), *self._check_primary_key()]

    def _check_primary_key(self) -> list[checks.CheckMessage]:
        primary_key = self.model._meta.pk
        if primary_key is not None and not isinstance(primary_key, models.AutoField):
            return []
        hint = "Derive the model from core.models.BaseModel."
        return [
            checks.Error("An encrypted field needs a primary key made in Python.", hint=hint, obj=self, id="nook.E020")
        ]


class EncryptedTextField(EncryptedField[str]):
    """Encrypted text; an empty string is sealed like any other, only None is NULL."""

    def to_bytes(self, value: str) -> bytes:
        return value.encode()

    def from_bytes(self, raw: bytes) -> str:
        return raw.decode()


class EncryptedBytesField(EncryptedField[bytes]):
    """Encrypted bytes."""

    def to_bytes(self, value: bytes) -> bytes:
        return bytes(value)

    def from_bytes(self, raw: bytes) -> bytes:
        return raw


class EncryptedJSONField(EncryptedField[Any]):
    """An encrypted JSON value; None is NULL."""

    def to_bytes(self, value: Any) -> bytes:
        return orjson.dumps(value)

    def from_bytes(self, raw: bytes) -> Any:
        return orjson.loads(raw)
