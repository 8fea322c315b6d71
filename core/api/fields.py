"""Serializer fields for what people write: names, addresses, text. JSON types are checked by StrictSerializer."""

import unicodedata
from typing import Any, Final

from rest_framework import serializers

MAX_INTEGER: Final = 2**63 - 1
_JOINERS: Final = frozenset("\u200c\u200d")
_LINE_CHARACTERS: Final = frozenset("\n\r\t")
_HIDDEN_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def holds_hidden_characters(text: str, *, allowed: frozenset[str] = _JOINERS) -> bool:
    """Return whether the text holds control, bidirectional or other invisible characters."""
    if text.isprintable():
        return False
    return any(unicodedata.category(character) in _HIDDEN_CATEGORIES and character not in allowed for character in text)


LONGEST_FILE_NAME: Final = 255
UNSAFE_FILE_NAME: Final = "Give the file a name without path, control and invisible characters."


def is_safe_file_name(name: str) -> bool:
    """Return whether the name of a file is no path and shows as what it is."""
    is_path = "/" in name or "\\" in name or name.strip(". ") == ""
    return not is_path and len(name) <= LONGEST_FILE_NAME and not holds_hidden_characters(name)


class FileNameField(serializers.CharField):
    """The name of a file: NFC, no path, no control, bidirectional or invisible characters."""

    default_error_messages = {"unsafe_name": UNSAFE_FILE_NAME}

    def to_internal_value(self, data: Any) -> str:
        text = unicodedata.normalize("NFC", super().to_internal_value(data))
        if not is_safe_file_name(text):
            self.fail("unsafe_name")
        return text


class NameField(serializers.CharField):
    """One line as people read it: NFC, trimmed, no control or bidirectional characters."""

    default_error_messages = {"hidden_characters": "Control and invisible characters are not allowed here."}

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 255)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> str:
        text = unicodedata.normalize("NFC", super().to_internal_value(data))
        if holds_hidden_characters(text):
            self.fail("hidden_characters")
        return text


class PlainTextField(serializers.CharField):
    """Several lines of text: NFC, line breaks and tabs allowed, other control characters not."""

    default_error_messages = {"hidden_characters": "Control and invisible characters are not allowed here."}

    def to_internal_value(self, data: Any) -> str:
        text = unicodedata.normalize("NFC", super().to_internal_value(data))
        if holds_hidden_characters(text, allowed=_JOINERS | _LINE_CHARACTERS):
            self.fail("hidden_characters")
        return text


class EmailAddressField(serializers.EmailField):
    """An e-mail address as it is stored and compared: NFC, trimmed, lower case."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 255)
        super().__init__(**kwargs)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        if isinstance(data, str):
            data = unicodedata.normalize("NFC", data.strip()).lower()
        return super().run_validation(data)


class SecretField(serializers.CharField):
    """A password, code or token: taken exactly as it is, never trimmed, never shown."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("trim_whitespace", False)
        kwargs.setdefault("write_only", True)
        kwargs.setdefault("max_length", 4096)
        super().__init__(**kwargs)


class CommaSeparatedField(serializers.CharField):
    """A query parameter that lists values: `a,b,c` becomes a tuple, without empty parts."""

    def to_internal_value(self, data: Any) -> Any:
        parts = (part.strip() for part in super().to_internal_value(data).split(","))
        return tuple(part for part in parts if part)
