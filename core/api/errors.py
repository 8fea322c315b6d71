"""The one exception map: whatever is raised while an API request is answered becomes the envelope."""

import logging
from typing import Any, Final

from django.core.exceptions import (
    BadRequest,
    ObjectDoesNotExist,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import ValidationError as DjangoValidationError
from django.core.signals import got_request_exception
from django.db import DatabaseError, InterfaceError
from django.db.models import ProtectedError, RestrictedError
from django.http import Http404, HttpResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from rest_framework import exceptions

from core.api.database_errors import translate
from core.api.envelope import failure
from core.api.serializers import details_of
from core.errors import (
    ApplicationError,
    Conflict,
    Detail,
    InvalidToken,
    NotAuthenticated,
    NotFound,
    ParseFailed,
    PayloadTooLarge,
    PermissionDenied,
    RateLimited,
    ValidationFailed,
)

logger: Final = logging.getLogger(__name__)


class MethodNotAllowed(ApplicationError):
    """The path exists, the method does not."""

    status = 405
    code = "METHOD_NOT_ALLOWED"
    message = "This method is not allowed here."

    def __init__(self, allowed: list[str] | None = None) -> None:
        super().__init__()
        self.allowed = allowed or []

    @property
    def headers(self) -> dict[str, str]:
        return {"Allow": ", ".join(self.allowed)} if self.allowed else {}


class NotAcceptable(ApplicationError):
    """The client takes no JSON."""

    status = 406
    code = "NOT_ACCEPTABLE"
    message = "Answers here are application/json."


class UnsupportedMediaType(ApplicationError):
    """The body is of a type that the operation does not read."""

    status = 415
    code = "UNSUPPORTED_MEDIA_TYPE"
    message = "Send the body as application/json in UTF-8, and a file as multipart/form-data."


class BadRequestLine(ApplicationError):
    """The request as such is malformed: host, headers, form."""

    status = 400
    code = "VALIDATION_ERROR"
    message = "The request is malformed."


def exception_handler(error: Exception, context: dict[str, Any]) -> HttpResponse:
    """Return the envelope for anything that a view raised; log what is a fault of ours."""
    known = as_application_error(error)
    if known is not None:
        return failure(known)
    logger.exception("Unhandled error in a view", exc_info=error)
    request = context.get("request")
    got_request_exception.send(sender=type(context.get("view")), request=getattr(request, "_request", request))
    return failure(ApplicationError())


def as_application_error(error: BaseException) -> ApplicationError | None:
    """Return the error that the caller is told about, or None for a fault of ours."""
    if isinstance(error, ApplicationError):
        return error
    if isinstance(error, exceptions.APIException):
        return _from_rest_framework(error)
    if isinstance(error, DatabaseError | InterfaceError):
        if isinstance(error, ProtectedError | RestrictedError):
            return Conflict("Something else still refers to this.")
        return translate(error)
    return _from_django(error)


def error_response(error: ApplicationError) -> HttpResponse:
    """Return the envelope for `error`, for code that stands outside a view."""
    return failure(error)


def for_status(status: int) -> ApplicationError:
    """Return the error for an HTTP status that something outside the views has answered with."""
    known: dict[int, ApplicationError] = {
        401: NotAuthenticated(),
        403: PermissionDenied(),
        404: NotFound(),
        405: MethodNotAllowed(),
        413: PayloadTooLarge(),
    }
    if status in known:
        return known[status]
    return BadRequestLine() if status < 500 else ApplicationError()


_BY_REST_FRAMEWORK: Final[tuple[tuple[type[exceptions.APIException], type[ApplicationError]], ...]] = (
    (exceptions.ParseError, ParseFailed),
    (exceptions.AuthenticationFailed, InvalidToken),
    (exceptions.NotAuthenticated, NotAuthenticated),
    (exceptions.PermissionDenied, PermissionDenied),
    (exceptions.NotFound, NotFound),
    (exceptions.MethodNotAllowed, MethodNotAllowed),
    (exceptions.NotAcceptable, NotAcceptable),
    (exceptions.UnsupportedMediaType, UnsupportedMediaType),
)


def _from_rest_framework(error: exceptions.APIException) -> ApplicationError | None:
    if isinstance(error, exceptions.ValidationError):
        return ValidationFailed(details=tuple(details_of(error.detail)))
    if isinstance(error, exceptions.Throttled):
        return RateLimited(retry_after=getattr(error, "wait", None) or 1)
    for theirs, ours in _BY_REST_FRAMEWORK:
        if isinstance(error, theirs):
            return ours()
    return for_status(error.status_code) if error.status_code < 500 else None


def _from_django(error: BaseException) -> ApplicationError | None:
    if isinstance(error, Http404 | ObjectDoesNotExist):
        return NotFound()
    if isinstance(error, DjangoPermissionDenied):
        return PermissionDenied()
    if isinstance(error, DjangoValidationError):
        return ValidationFailed(details=_details_of_django(error))
    if isinstance(error, RequestDataTooBig):
        return PayloadTooLarge()
    if isinstance(error, SuspiciousOperation | BadRequest | MultiPartParserError | UnreadablePostError):
        return BadRequestLine()
    return None


def _details_of_django(error: DjangoValidationError) -> list[Detail]:
    if hasattr(error, "error_dict"):
        return [
            Detail(None if field == "__all__" else field, single.code or "invalid", message)
            for field, faults in error.error_dict.items()
            for single in faults
            for message in single.messages
        ]
    return [
        Detail(None, single.code or "invalid", message) for single in error.error_list for message in single.messages
    ]
