"""The errors that services raise and `core.api.errors` renders; clients match on `code`, never on the text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Detail:
    """One thing that is wrong: a dotted field path (or None), a stable code, a sentence for a person."""

    field: str | None
    code: str
    message: str


class ApplicationError(Exception):
    """The base of every error that a caller is told about; subclasses fix `status`, `code` and the text."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "INTERNAL_ERROR"
    message: ClassVar[str] = "Something went wrong on our side."

    def __init__(self, message: str | None = None, *, details: Sequence[Detail] = ()) -> None:
        self.text = message or self.message
        self.details = tuple(details)
        super().__init__(self.text)

    @property
    def headers(self) -> dict[str, str]:
        """Return the HTTP headers that go with this error."""
        return {}


class ValidationFailed(ApplicationError):
    status = 400
    code = "VALIDATION_ERROR"
    message = "Invalid input data."

    @classmethod
    def of(cls, field: str | None, code: str, message: str) -> "ValidationFailed":
        """Return the error with a single detail."""
        return cls(details=[Detail(field, code, message)])


class ParseFailed(ApplicationError):
    status = 400
    code = "PARSE_ERROR"
    message = "The request body is not valid JSON."


class NotAuthenticated(ApplicationError):
    status = 401
    code = "NOT_AUTHENTICATED"
    message = "Sign in to do this."

    @property
    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": "Bearer"}


class InvalidToken(NotAuthenticated):
    code = "INVALID_TOKEN"
    message = "This token is not valid."

    @property
    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": 'Bearer error="invalid_token"'}


class TokenExpired(InvalidToken):
    code = "TOKEN_EXPIRED"
    message = "This token has expired."


class TokenReused(InvalidToken):
    code = "TOKEN_REUSED"
    message = "This refresh token was used before; the session has been ended."


class SessionRevoked(InvalidToken):
    code = "SESSION_REVOKED"
    message = "This session has been ended."


class InvalidCredentials(NotAuthenticated):
    code = "INVALID_CREDENTIALS"
    message = "The e-mail address, password or code is wrong."


class InvalidSignature(NotAuthenticated):
    code = "INVALID_SIGNATURE"
    message = "The signature does not fit the message, or the message is too old."

    @property
    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": "Signature"}


class PermissionDenied(ApplicationError):
    status = 403
    code = "PERMISSION_DENIED"
    message = "You may not do this."


class ActingOnBehalf(PermissionDenied):
    message = "Nobody may do this in somebody else's place."


class EmailNotVerified(PermissionDenied):
    code = "EMAIL_NOT_VERIFIED"
    message = "Confirm your e-mail address first."


class AccountDisabled(PermissionDenied):
    code = "ACCOUNT_DISABLED"
    message = "This account has been disabled."


class ReauthenticationRequired(PermissionDenied):
    code = "REAUTHENTICATION_REQUIRED"
    message = "Confirm that it is you: sign in again."


class MfaEnrollmentRequired(PermissionDenied):
    code = "MFA_ENROLLMENT_REQUIRED"
    message = "Your role demands two-factor sign-in: set it up, or confirm with a code."


class NotFound(ApplicationError):
    status = 404
    code = "NOT_FOUND"
    message = "There is no such thing."


class Conflict(ApplicationError):
    status = 409
    code = "CONFLICT"
    message = "The present state does not allow this."


class PreconditionFailed(ApplicationError):
    status = 412
    code = "PRECONDITION_FAILED"
    message = "This was changed in the meantime; read it again."


class PayloadTooLarge(ApplicationError):
    status = 413
    code = "PAYLOAD_TOO_LARGE"
    message = "The request is too large."


class IdempotencyKeyReused(ApplicationError):
    status = 422
    code = "IDEMPOTENCY_KEY_REUSED"
    message = "This Idempotency-Key was used with another request."


class RateLimited(ApplicationError):
    status = 429
    code = "RATE_LIMITED"
    message = "Too many requests; try again later."

    def __init__(self, *, retry_after: float) -> None:
        super().__init__()
        self.retry_after = retry_after

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(max(1, -int(-self.retry_after // 1)))}


class ServiceUnavailable(ApplicationError):
    status = 503
    code = "SERVICE_UNAVAILABLE"
    message = "This is not available at the moment; try again later."

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": "5"}
