"""Strict serializers: unknown fields, loose types and half-read input are refused with stable codes."""

import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Final, TypeVar

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request

from core.errors import Detail, ValidationFailed

_LONGEST_UNKNOWN_NAME: Final = 100


class StrictSerializer(serializers.Serializer[Any]):
    """A serializer that refuses fields it does not know and values of another JSON type.

    Read-only fields, and those in `ignored_fields`, are accepted and ignored, so that a representation
    that was read can be changed and sent back whole.
    """

    ignored_fields: ClassVar[frozenset[str]] = frozenset()
    unknown_code: ClassVar[str] = "unknown_field"
    unknown_message: ClassVar[str] = "There is no such field."

    def to_internal_value(self, data: Any) -> Any:
        errors: dict[str, Any] = self._refusals(data) if isinstance(data, Mapping) else {}
        value: Any = None
        try:
            value = super().to_internal_value(data)
        except ValidationError as error:
            if not isinstance(error.detail, dict):
                raise
            errors = {**error.detail, **errors}
        if errors:
            raise ValidationError(errors)
        return value

    def _refusals(self, data: Mapping[str, Any]) -> dict[str, Any]:
        errors: dict[str, Any] = {}
        for name, value in data.items():
            if name in self.fields:
                wrong = _wrong_types(self.fields[name], value)
                if wrong is not None:
                    errors[name] = wrong
            elif name not in self.ignored_fields:
                errors[name[:_LONGEST_UNKNOWN_NAME]] = [ErrorDetail(self.unknown_message, code=self.unknown_code)]
        return errors


class NoFields(StrictSerializer):
    """The body of a request that takes none."""


SerializerType = TypeVar("SerializerType", bound=serializers.Serializer[Any])


def parse(
    serializer_class: type[serializers.Serializer[Any]],
    request: Request,
    *,
    partial: bool = False,
    instance: Any = None,
) -> dict[str, Any]:
    """Return the validated body of the request, or raise `ValidationFailed` with a dotted path per fault."""
    return validate(serializer_class, request.data, partial=partial, instance=instance, request=request)


def validate(
    serializer_class: type[serializers.Serializer[Any]],
    data: Any,
    *,
    partial: bool = False,
    instance: Any = None,
    request: Request | None = None,
) -> dict[str, Any]:
    """Return `data` as the serializer reads it, or raise `ValidationFailed`."""
    serializer = _prepared(serializer_class, partial=partial)
    serializer.instance = instance
    serializer._context = {"request": request}
    try:
        value: dict[str, Any] = serializer.run_validation(data)
    except ValidationError as error:
        raise ValidationFailed(details=tuple(details_of(error.detail))) from None
    finally:
        serializer.instance = None
        serializer._context = {}
    return value


_thread: Final = threading.local()


def _prepared(serializer_class: type[serializers.Serializer[Any]], *, partial: bool) -> serializers.Serializer[Any]:
    """Return this thread's serializer of the class: copying its fields was half the cost of a create."""
    serializers_by_shape: dict[Any, serializers.Serializer[Any]] = _thread.__dict__
    key = f"{serializer_class.__module__}.{serializer_class.__qualname__}:{partial}"
    serializer = serializers_by_shape.get(key)
    if serializer is None or type(serializer) is not serializer_class:
        serializer = serializers_by_shape[key] = serializer_class(partial=partial)
    return serializer


def details_of(detail: Any, path: str = "") -> Iterator[Detail]:
    """Flatten DRF's nested error structure into details with dotted paths (`items.3.name`)."""
    if isinstance(detail, dict):
        for key, value in detail.items():
            yield from details_of(value, path if key == "non_field_errors" else _join(path, str(key)))
    elif isinstance(detail, list):
        for index, value in enumerate(detail):
            yield from details_of(value, path if isinstance(value, str) else _join(path, str(index)))
    else:
        yield Detail(path or None, getattr(detail, "code", "invalid") or "invalid", str(detail))


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


_WRONG_TYPE: Final[tuple[tuple[type[Any], tuple[type, ...], str], ...]] = (
    (serializers.CharField, (str,), "Not a valid string."),
    (serializers.UUIDField, (str,), "Must be a valid UUID."),
    (serializers.DateTimeField, (str,), "Datetime has wrong format."),
    (serializers.ChoiceField, (str,), "Not a valid choice."),
    (serializers.IntegerField, (int,), "A valid integer is required."),
    (serializers.BooleanField, (bool,), "Must be true or false."),
    (serializers.FloatField, (int, float), "A valid number is required."),
    (serializers.DecimalField, (int, float, str), "A valid number is required."),
)


def _wrong_types(field: Any, value: Any) -> Any:
    """Return DRF errors for values whose JSON type the field would only guess at, or None."""
    if value is None or field.read_only:
        return None
    if isinstance(field, serializers.ListField):
        return _wrong_items(field, value)
    if isinstance(field, serializers.DictField):
        return _wrong_members(field, value)
    for field_class, types, message in _WRONG_TYPE:
        if isinstance(field, field_class):
            if type(value) in types:
                return None
            return [ErrorDetail(message, code="invalid")]
    return None


def _wrong_items(field: serializers.ListField, value: Any) -> Any:
    if not isinstance(value, list):
        return None
    return _wrong_below(field.child, ((str(index), item) for index, item in enumerate(value)))


def _wrong_members(field: serializers.DictField, value: Any) -> Any:
    if not isinstance(value, dict) or type(field.child) is type(serializers.DictField.child):
        return None  # no object, which the field says itself; or one of anything
    return _wrong_below(field.child, value.items())


def _wrong_below(child: Any, values: Iterable[tuple[str, Any]]) -> Any:
    wrong = {name[:_LONGEST_UNKNOWN_NAME]: _wrong_types(child, value) for name, value in values}
    return {name: errors for name, errors in wrong.items() if errors is not None} or None
