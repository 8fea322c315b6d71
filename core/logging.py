"""One JSON object a line: `timestamp, level, service, trace_id, message, metadata`; secrets never get in.

Lines go out by a single `write` each: no lock, no buffer, nothing lost when the process is killed.
"""

import logging
import os
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from django.conf import settings

from core.context import current

REDACTED: Final = "[redacted]"
_SECRET_NAMES: Final = re.compile(
    r"authorization|cookie|passw(or)?d|token|secret|api_?key|private_?key|encryption_?key|signing_?key|credential"
    r"|csrf|session_?key|recovery_?code|otp",
    re.IGNORECASE,
)
_SECRETS_IN_TEXT: Final = re.compile(
    r"\bnk[a-z]{0,6}_[0-9A-Za-z]{20,}"  # our own tokens
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]*"  # JWT
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"  # user:password@ in a URL
    r"|(?<=[Bb]earer )\S+"
    r"|(?<=/files/)(?:uploads/)?[\w-]+:[\w-]+:[\w-]+"  # signed links of ours
    r"|(?<=token=)[^&\s\"']+"
    r"|(?<=password=)[^&\s\"']+"
)
_MARKS_OF_SECRETS: Final = ("nk", "eyJ", "://", "earer ", "/files/", "token=", "password=")
"""Of which a text with a secret has one: looking for these takes a twentieth of the time."""
_LEVELS: Final = {"WARNING": "warn", "CRITICAL": "error", "NOTSET": "info"}
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_DEPTH_AT_MOST: Final = 6


def redact(value: Any, *, depth: int = 0) -> Any:
    """Return `value` as JSON can hold it, with what looks like a secret, by name or by form, taken out."""
    if isinstance(value, str):
        return redact_text(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth >= _DEPTH_AT_MOST:
        return REDACTED
    if isinstance(value, Mapping):
        return {
            str(name): REDACTED if _SECRET_NAMES.search(str(name)) else redact(item, depth=depth + 1)
            for name, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(item, depth=depth + 1) for item in value]
    return redact_text(str(value))


def redact_text(text: str) -> str:
    """Return `text` without tokens, passwords in URLs and the like."""
    if not any(mark in text for mark in _MARKS_OF_SECRETS):
        return text
    return _SECRETS_IN_TEXT.sub(REDACTED, text)


class JsonFormatter(logging.Formatter):
    """A log record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        context = current()
        metadata = redact({name: value for name, value in vars(record).items() if name not in _STANDARD})
        metadata["logger"] = record.name
        if context.request_id:
            metadata["request_id"] = context.request_id
        if record.exc_info:
            metadata["exception"] = redact_text(self.formatException(record.exc_info))
        line = {
            "timestamp": datetime.fromtimestamp(record.created, UTC),
            "level": _LEVELS.get(record.levelname, record.levelname.lower()),
            "service": settings.SERVICE_NAME,
            "trace_id": context.trace_id,
            "message": redact_text(record.getMessage()),
            "metadata": metadata,
        }
        return _dump(line).decode()


class PrettyFormatter(logging.Formatter):
    """A log record for a person at a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        clock = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        text = f"{clock} {record.levelname[:4]:4} {record.name}: {_visible(record.getMessage())}"
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return redact_text(text)


class LineHandler(logging.Handler):
    """Writes each record to the error stream by one call."""

    def handle(self, record: logging.LogRecord) -> bool:
        # Without the handler's lock: one call to the kernel writes the line, and no thread waits for another's.
        passed = self.filter(record)
        if passed:
            self.emit(passed if isinstance(passed, logging.LogRecord) else record)
        return bool(passed)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            write_line(self.format(record).encode("utf-8", "backslashreplace") + b"\n")
        except Exception:  # logging's edge: a line that cannot be written must not end the work
            self.handleError(record)


def write_line(line: bytes) -> None:
    """Write a whole line to the error stream's descriptor."""
    try:
        written = os.write(2, line)
        while written < len(line):
            line = line[written:]
            written = os.write(2, line)
    except OSError:
        # A closed or full stream: the log is dropped, the work goes on.
        return


def access_line(metadata: dict[str, Any]) -> None:
    """Write the one line of an answered request; `metadata` must be free of secrets already."""
    context = current()
    metadata["request_id"] = context.request_id
    message = f"{metadata['method']} {metadata['path']} {metadata['status']}"
    if settings.LOG_FORMAT == "pretty":
        return write_line(f"{datetime.now(UTC):%H:%M:%S} {_visible(message)} {metadata['duration_ms']} ms\n".encode())
    line = {
        "timestamp": datetime.now(UTC),
        "level": "info" if metadata["status"] < 500 else "error",
        "service": settings.SERVICE_NAME,
        "trace_id": context.trace_id,
        "message": message,
        "metadata": metadata,
    }
    return write_line(_dump(line) + b"\n")


def _visible(text: str) -> str:
    """Return `text` with control characters spelt out: what a stranger sends must not steer a terminal."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def _dump(line: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(line, option=orjson.OPT_UTC_Z)
    except (TypeError, ValueError):
        # A lone surrogate or a number past 64 bits: kept readable rather than lost.
        line["metadata"] = {"unprintable": ascii(line["metadata"])}
        line["message"] = ascii(line["message"])
        return orjson.dumps(line, option=orjson.OPT_UTC_Z)


def logging_settings(*, pretty: bool, level: str) -> dict[str, Any]:
    """Return Django's `LOGGING`: everything to the error stream in one format."""
    formatter = "core.logging.PrettyFormatter" if pretty else "core.logging.JsonFormatter"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": formatter}},
        "handlers": {
            "line": {"()": "core.logging.LineHandler", "formatter": "line"},
            "null": {"class": "logging.NullHandler"},
        },
        "root": {"handlers": ["line"], "level": level},
        "loggers": {
            "django": {"handlers": [], "level": level, "propagate": True},
            # 4xx answers are in the access line already; 5xx come here with their traceback.
            "django.request": {"level": "ERROR"},
            "django.server": {"handlers": [], "propagate": True},
            # Anybody can send any Host header: the access line tells of it.
            "django.security.DisallowedHost": {"handlers": ["null"], "propagate": False},
        },
    }


def wants_pretty_lines(choice: str) -> bool:
    """Return whether lines are for a person: as chosen, else when the error stream is a terminal."""
    return choice == "pretty" or (choice == "auto" and sys.stderr.isatty())
