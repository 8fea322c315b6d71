"""The parts of the OpenAPI document that every operation refers to."""

from collections.abc import Iterator
from typing import Any, Final

from core.errors import ApplicationError

SECURITY_SCHEME: Final = "bearer"

_IDENTIFIER: Final = "019332f1-6c7a-7b1e-9f53-0a1b2c3d4e5f"

IDEMPOTENCY_KEY: Final[dict[str, Any]] = {
    "name": "Idempotency-Key",
    "location": "header",
    "description": "For 24 hours the same key and request get the first answer again; the effect happens once.",
    "pattern": r"^[A-Za-z0-9._:-]{1,128}$",
}
IF_MATCH: Final[dict[str, Any]] = {
    "name": "If-Match",
    "location": "header",
    "description": "The `ETag` that was read; another version is answered with 412.",
}
IF_NONE_MATCH: Final[dict[str, Any]] = {
    "name": "If-None-Match",
    "location": "header",
    "description": "The `ETag` that is known; the same version is answered with 304.",
}
RATE_LIMIT_HEADERS: Final[dict[str, Any]] = {
    name: {"$ref": f"#/components/headers/{name}"}
    for name in ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
}

_HEADERS: Final[dict[str, Any]] = {
    "RateLimit-Limit": {"description": "How many requests the bucket holds.", "schema": {"type": "integer"}},
    "RateLimit-Remaining": {"description": "How many are left.", "schema": {"type": "integer"}},
    "RateLimit-Reset": {"description": "Seconds until the bucket is full.", "schema": {"type": "integer"}},
    "ETag": {"description": "The version, in quotes.", "schema": {"type": "string"}},
    "Location": {"description": "Where the new thing is.", "schema": {"type": "string"}},
}

_DETAIL: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["field", "code", "message"],
    "properties": {
        "field": {"type": ["string", "null"], "description": "Dotted path, as in `items.3.name`."},
        "code": {"type": "string"},
        "message": {"type": "string"},
    },
}
_LIST_META: Final[dict[str, Any]] = {
    "description": "Of a numbered page, or of a cursor page (null at the ends).",
    "type": "object",
    "required": ["per_page"],
    "properties": {
        "per_page": {"type": "integer"},
        "page": {"type": "integer"},
        "total": {"type": "integer"},
        "total_pages": {"type": "integer"},
        "total_is_estimate": {"type": "boolean", "description": "True past 10,000 rows."},
        "next_cursor": {"type": ["string", "null"]},
        "previous_cursor": {"type": ["string", "null"]},
    },
}


def example_name(error: type[ApplicationError]) -> str:
    """Return the name under which the document keeps the example of an error."""
    return "".join(part.capitalize() for part in error.code.split("_"))


def _error_classes(base: type[ApplicationError]) -> Iterator[type[ApplicationError]]:
    yield base
    for error in base.__subclasses__():
        yield from _error_classes(error)


def _schemas() -> dict[str, Any]:
    codes = sorted({error.code for error in _error_classes(ApplicationError)})
    error = {
        "type": "object",
        "required": ["code", "message", "details", "request_id"],
        "properties": {
            "code": {"type": "string", "enum": codes},
            "message": {"type": "string"},
            "details": {"type": "array", "items": {"$ref": "#/components/schemas/ErrorDetail"}},
            "request_id": {"type": "string"},
        },
    }
    envelope = {
        "type": "object",
        "required": ["success", "error"],
        "properties": {"success": {"const": False}, "error": error},
    }
    return {"Error": envelope, "ErrorDetail": _DETAIL, "ListMeta": _LIST_META}


def _examples() -> dict[str, Any]:
    classes = {error.code: error for error in reversed(list(_error_classes(ApplicationError)))}
    return {example_name(error): {"value": _example(error)} for _, error in sorted(classes.items())}


def _example(error: type[ApplicationError]) -> dict[str, Any]:
    details = []
    if error.code == "VALIDATION_ERROR":
        details = [{"field": "name", "code": "required", "message": "This field is required."}]
    body = {"code": error.code, "message": error.message, "details": details, "request_id": _IDENTIFIER}
    return {"success": False, "error": body}


def shared_components() -> dict[str, Any]:
    """Return the components by kind; called when the document is made, when every error class is known."""
    bearer = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    return {
        "schemas": _schemas(),
        "examples": _examples(),
        "headers": _HEADERS,
        "securitySchemes": {SECURITY_SCHEME: bearer},
    }
