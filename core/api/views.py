"""The base of every API view: access, strict input, the envelope and the headers of every answer.

A subclass says what each method demands and has one method per HTTP verb, three moves long:

    class UserList(ApiView):
        access = {"GET": "read:user", "POST": "write:user"}
        token_scopes = {"GET": "read:user", "POST": "write:user"}

        @operation("List users", query=UserQuery, response=UserShape, paginated=True)
        def get(self, request: Request) -> HttpResponse:
            query = parse_query(UserQuery, request)
            return paginate(User.objects.visible_to(self.caller), request, query, shape=user_shape, ...)

A method without a row in `access` is denied and fails a system check, one without a row in `token_scopes` refuses
every personal access token. A method that declares no `query` refuses every query parameter, one that declares no
`request` refuses every body field.
"""

from collections.abc import Callable
from functools import cached_property, partial
from typing import Any, ClassVar, Final
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request
from rest_framework.views import APIView

from core import replicas
from core.api import replay
from core.api.access import Access, TokenScope, caller_of, require, require_scope
from core.api.chunks import read_body
from core.api.concurrency import CACHE_CONTROL
from core.api.envelope import no_content
from core.api.errors import MethodNotAllowed, NotAcceptable, exception_handler
from core.api.operations import Operation, operation_of
from core.api.query import NoParameters, parse_query
from core.api.retirement import Retirement, retirement_of
from core.api.serializers import NoFields, parse
from core.api.throttling import (
    DEFAULT,
    charge_worthless_credentials,
    headers_of,
    take_after_authentication,
    take_before_authentication,
)
from core.errors import (
    ActingOnBehalf,
    MfaEnrollmentRequired,
    NotAuthenticated,
    PermissionDenied,
    PreconditionFailed,
    RateLimited,
)
from core.headers import put, put_if_missing
from core.permissions import Caller
from core.ratelimit import Verdict
from core.transactions import again_after_a_lost_race

_SAFE: Final = frozenset({"GET", "HEAD"})
_HARMLESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
CONDITIONAL: Final = frozenset({"PUT", "PATCH", "DELETE"})
"""What honours `If-Match`, whether or not what it writes has a tag."""

_NEGOTIATION: Final = DefaultContentNegotiation()


class ApiView(APIView):
    """A view of the REST API: closed unless `access` opens it."""

    access: ClassVar[dict[str, str | Access]] = {}
    token_scopes: ClassVar[dict[str, str | TokenScope]] = {}
    """Which scope lets a personal access token call a method; methods not named here refuse every token."""

    rate_limit: ClassVar[str | dict[str, str]] = "default"
    keeps_secrets: ClassVar[bool | frozenset[str]] = False
    """Whether no cache may hold the answers (tokens, sessions), or those to which methods; paths under /auth/ are so by
    themselves."""

    ignored_cookies: ClassVar[frozenset[str]] = frozenset()
    """Cookies that do not make a request another one, for `Idempotency-Key` of callers without a token."""

    open_before_enrollment: ClassVar[bool] = False
    """Whether it answers who has yet to set up the two-factor sign-in that their role demands."""

    open_on_behalf: ClassVar[bool] = False
    """Whether an administrator in somebody's place may write here, under /auth/, where else they only read."""

    produces: ClassVar[tuple[str, ...]] = ("application/json",)
    reads_replicas: ClassVar[bool] = True
    """Whether a replica may answer a GET; false where a GET writes, which only costs it the way to the primary."""

    retirement: ClassVar[Retirement | None] = None

    _verdict: Verdict | None = None
    _administrator: UUID | None = None

    http_method_names = ["get", "post", "put", "patch", "delete", "head", "options"]

    @cached_property
    def caller(self) -> Caller:
        """Return who asks."""
        return caller_of(self.request)

    @property
    def allowed_methods(self) -> list[str]:
        methods = [name.upper() for name in self.http_method_names if hasattr(self, name)]
        return [*methods, "HEAD"] if "GET" in methods and "HEAD" not in methods else methods

    @property
    def body_limit(self) -> int | None:
        """Return how many bytes a body may have, where it is not `DATA_UPLOAD_MAX_MEMORY_SIZE`."""
        return None

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        wrapped = Request(
            request,
            parsers=self.get_parsers(),
            authenticators=self.get_authenticators(),
            negotiator=_NEGOTIATION,
            parser_context={"view": self, "args": args, "kwargs": kwargs},
        )
        # DRF looks these up on itself first and fails, a dozen times in each request.
        vars(wrapped).update(META=request.META, method=request.method, path=request.path)
        return wrapped

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.args, self.kwargs = args, kwargs
        self.request = self.initialize_request(request, *args, **kwargs)
        try:
            self.initial(self.request, *args, **kwargs)
            response = self._answer(self.request, *args, **kwargs)
        except Exception as error:  # the edge: every error becomes an answer, faults of ours are logged there
            response = exception_handler(error, {"view": self, "request": self.request})
        answer = self._with_headers(response)
        self._let_go()
        return answer

    def _let_go(self) -> None:
        """Lead nowhere back to the view and its request: they would stay until the collector looks for them."""
        self.request.parser_context.clear()
        vars(self).pop("head", None)  # Django's second name for `get`, bound to this view

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Let the request through to the handler, or raise: limit, caller, limit, format, method, access, input."""
        self._count_and_authenticate(request)
        self._refuse_other_formats(request)
        method = self._declared_method(request)
        self._administrator = self.caller.impersonated_by
        require(self._access_of(method), self.caller)
        if self.caller.token_id is not None and method != "OPTIONS":
            require_scope(self.token_scopes.get(method), self.caller)
        self.refuse_unenrolled(self.caller)
        self._refuse_on_behalf(method)
        self.receive_body(request._request)
        declared = operation_of(getattr(self, method.lower(), None))
        if declared is not None:
            _refuse_undeclared_input(declared, request)
            _refuse_unknown_version(declared, request)

    def receive_body(self, request: HttpRequest) -> None:
        """Read a body that Django would not read by itself, or raise `PayloadTooLarge`."""
        read_body(request, self.body_limit)

    def refuse_unenrolled(self, caller: Caller) -> None:
        """Raise `MfaEnrollmentRequired` for a session without the second factor that its role demands."""
        if caller.must_enroll and not self.open_before_enrollment:
            raise MfaEnrollmentRequired

    def _scope(self, request: Request) -> str:
        if isinstance(self.rate_limit, str):
            return self.rate_limit
        return self.rate_limit.get(request.method or "", DEFAULT)

    def _count_and_authenticate(self, request: Request) -> None:
        scope = self._scope(request)
        counted = take_before_authentication(scope, has_credentials="HTTP_AUTHORIZATION" in request.META)
        if counted is not None:
            self._heed(counted)
        try:
            _ = self.caller
        except (NotAuthenticated, AuthenticationFailed):
            if counted is None:
                self._heed(charge_worthless_credentials())
            raise
        if counted is None:
            self._heed(take_after_authentication(scope, self.caller))

    def _heed(self, verdict: Verdict) -> None:
        self._verdict = verdict
        if not verdict.allowed:
            raise RateLimited(retry_after=verdict.retry_after)

    def _answer(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Call the handler: once per `Idempotency-Key`, again for a safe request that lost a race in the database."""
        method = (request.method or "").lower()
        handler: Callable[..., HttpResponseBase] = getattr(self, "get" if method == "head" else method)
        if request.method == "POST" and replay.HEADER in request.META:
            run = partial(handler, request, *args, **kwargs)
            answer = partial(replay.answer_once, request, run, ignored_cookies=self.ignored_cookies)
            # One transaction holds all of it: what the services do again by themselves is done again here.
            return again_after_a_lost_race(answer) if _can_be_read_again(request) else answer()
        if request.method not in _SAFE:
            return handler(request, *args, **kwargs)
        run = partial(again_after_a_lost_race, partial(handler, request, *args, **kwargs))
        return replicas.read(run) if self.reads_replicas else run()

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        raise MethodNotAllowed(self.allowed_methods)

    def options(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:  # type: ignore[override]  # the stubs know the Response of DRF only
        return no_content(headers={"Allow": ", ".join(self.allowed_methods)})

    def _with_headers(self, response: HttpResponseBase) -> HttpResponseBase:
        headers = response.headers
        put_if_missing(headers, "Cache-Control", self._cache_control())
        put_if_missing(headers, "Vary", "Authorization")
        if self._administrator is not None:
            headers["X-Impersonated-By"] = str(self._administrator)
        if self._verdict is not None:
            for name, value in headers_of(self._verdict).items():
                put(headers, name, value)
        retirement = self.retirement or retirement_of(self.request.path)
        if retirement is not None:
            for name, value in retirement.headers.items():
                headers[name] = value
        return response

    def _refuse_other_formats(self, request: Request) -> None:
        accepted = request.META.get("HTTP_ACCEPT", "*/*")
        if accepted in {"*/*", "application/json"}:
            return
        wanted = {part.partition(";")[0].strip().lower() for part in accepted.split(",")}
        if not wanted & {"*/*", "application/*", *self.produces}:
            raise NotAcceptable

    def _declared_method(self, request: Request) -> str:
        method = request.method or ""
        if method == "OPTIONS":
            return method
        name = "get" if method == "HEAD" else method.lower()
        if name not in self.http_method_names or not hasattr(self, name):
            raise MethodNotAllowed(self.allowed_methods)
        return name.upper()

    def _access_of(self, method: str) -> str | Access:
        if method == "OPTIONS":
            return Access.PUBLIC
        if method not in self.access:
            raise PermissionDenied
        return self.access[method]

    def _refuse_on_behalf(self, method: str) -> None:
        """Keep what somebody signs in with out of the hands of an administrator in their place."""
        if self._administrator is None:
            return
        if "/auth/" in self.request.path and method not in _HARMLESS and not self.open_on_behalf:
            raise ActingOnBehalf

    def _cache_control(self) -> str:
        kept = self.keeps_secrets
        is_secret = kept if isinstance(kept, bool) else self.request.method in kept
        return "no-store" if is_secret or "/auth/" in self.request.path else CACHE_CONTROL


def _refuse_unknown_version(operation: Operation, request: Request) -> None:
    """Raise `PreconditionFailed` for an `If-Match` that no version can answer: what has no tag matches none."""
    if operation.etag or request.method not in CONDITIONAL or "HTTP_IF_MATCH" not in request.META:
        return
    if request.META["HTTP_IF_MATCH"].strip() != "*":
        raise PreconditionFailed


def _can_be_read_again(request: Request) -> bool:
    """Return whether the body is kept: files of a form are read once."""
    return request.META.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() in {"", "application/json"}


def _refuse_undeclared_input(operation: Operation, request: Request) -> None:
    if operation.query is None and request.META.get("QUERY_STRING"):
        parse_query(NoParameters, request)
    if (
        operation.request is None
        and request.method in _WITH_BODY
        and request.META.get("CONTENT_LENGTH", "0") not in {"", "0"}
    ):
        parse(NoFields, request)
