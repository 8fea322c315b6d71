"""OpenAPI from the code: every operation is described by the `@operation` of its handler and the view's declarations.

What an endpoint has to write is in `core.api.operations`; what follows from access, rate limit, method, body
and path (security, errors, headers, parameters) is added here. `make schema` writes docs/openapi.yaml.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from drf_spectacular.drainage import warn
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ComponentRegistry
from drf_spectacular.utils import OpenApiParameter
from rest_framework.serializers import Serializer

from core.api.access import Access, TokenScope
from core.api.envelope import CONTENT_TYPE
from core.api.errors import NotAcceptable, UnsupportedMediaType
from core.api.operations import Operation, operation_of
from core.api.schema_components import (
    IDEMPOTENCY_KEY,
    IF_MATCH,
    IF_NONE_MATCH,
    RATE_LIMIT_HEADERS,
    SECURITY_SCHEME,
    example_name,
    shared_components,
)
from core.api.views import CONDITIONAL, ApiView
from core.errors import (
    ApplicationError,
    Conflict,
    IdempotencyKeyReused,
    InvalidToken,
    MfaEnrollmentRequired,
    NotAuthenticated,
    NotFound,
    ParseFailed,
    PayloadTooLarge,
    PermissionDenied,
    PreconditionFailed,
    RateLimited,
    ServiceUnavailable,
    SessionRevoked,
    TokenExpired,
    ValidationFailed,
)

_VERBS: Final = {"GET": "get", "PUT": "replace", "PATCH": "update", "DELETE": "delete"}
_OF_TOKENS: Final = (InvalidToken, TokenExpired, SessionRevoked)
_ALWAYS: Final = (
    ValidationFailed,
    NotAcceptable,
    RateLimited,
    ApplicationError,
    ServiceUnavailable,
)


class OperationSchema(AutoSchema):
    """Describes an operation by the `Operation` of its handler."""

    view: ApiView  # type: ignore[override]  # the base class allows any view of DRF; ours are all of one kind
    registry: ComponentRegistry

    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: ComponentRegistry
    ) -> dict[str, Any] | None:
        self.registry, self.path, self.path_regex = registry, path, path_regex
        self.path_prefix, self.method = path_prefix, method.upper()
        declared = operation_of(getattr(self.view, method.lower(), None))
        if declared is None or self.method not in self.view.access:
            warn(f"{type(self.view).__name__}.{method.lower()} has no @operation or no access row.")
            return None
        described: dict[str, Any] = {
            "operationId": self.get_operation_id(),
            "summary": declared.summary,
            "description": self._description(declared),
            "tags": self.get_tags(),
            "parameters": [_with_names(parameter, declared) for parameter in self._get_parameters()],
            "security": self._security(),
            "responses": {**self._success(declared), **self._failures(declared)},
            "x-rate-limit": self._rate_limit_scope(),
            "x-permission": self._permission(),
            "x-token-scope": self._token_scope(),
        }
        if declared.request is not None:
            described["requestBody"] = self._body(declared, declared.request)
        if declared.deprecated or self.view.retirement is not None:
            described["deprecated"] = True
        return described

    def get_override_parameters(self) -> list[Any]:
        declared = operation_of(getattr(self.view, self.method.lower(), None))
        query = declared.query if declared is not None else None
        parameters: list[Any] = [query] if query is not None and query().fields else []
        if self.method == "POST":
            parameters.append(OpenApiParameter(**IDEMPOTENCY_KEY))
        if declared is not None and declared.etag:
            parameters += [OpenApiParameter(**header) for header in self._conditions(declared)]
        parameters += [OpenApiParameter(**header) for header in (declared.headers if declared else ())]
        return parameters

    def _conditions(self, declared: Operation) -> list[dict[str, Any]]:
        """Return the headers that make the request conditional; a POST that makes something knows none."""
        if self.method == "GET":
            return [IF_NONE_MATCH]
        return [IF_MATCH] if self.method in CONDITIONAL or PreconditionFailed in declared.errors else []

    def _is_list_view(self, serializer: Any = None) -> bool:
        declared = operation_of(getattr(self.view, self.method.lower(), None))
        return declared is not None and (declared.many or declared.paginated)

    def get_operation_id(self) -> str:
        """Return a name that reads as what is done: `users_list`, `users_create`, `auth_login`."""
        parts = [part.replace("-", "_") for part in self.path.removeprefix("/api/v1").split("/") if part]
        noun = "_".join(part for part in parts if not part.startswith("{"))
        verb = _VERBS.get(self.method, "")
        if self._is_list_view():
            verb = "list"
        elif self.method == "POST" and hasattr(self.view, "get"):
            verb = "create"
        return f"{noun}_{verb}" if verb else noun

    def _access(self) -> str | Access:
        return self.view.access[self.method]

    def _permission(self) -> str:
        access = self._access()
        return access.value if isinstance(access, Access) else access

    def _token_scope(self) -> str | None:
        """Return the scope that lets a personal access token in: `any` for all of them, None for none."""
        scope = self.view.token_scopes.get(self.method)
        return scope.value if isinstance(scope, TokenScope) else scope

    def _rate_limit_scope(self) -> str:
        limit = self.view.rate_limit
        return limit if isinstance(limit, str) else limit.get(self.method, "default")

    def _description(self, declared: Operation) -> str:
        access = self._access()
        who = {
            Access.PUBLIC: "Open to anyone.",
            Access.SIGNED_IN: "For anyone signed in.",
        }.get(access, f"Needs the permission `{access}`.")  # type: ignore[arg-type]  # a string is simply not a key
        return f"{declared.description}\n\n{who} {self._for_tokens()}".strip()

    def _for_tokens(self) -> str:
        if not self.view.authentication_classes:
            return ""
        scope = self._token_scope()
        if scope is None:
            return "Not for personal access tokens."
        return "Any personal access token serves." if scope == "any" else f"Personal access tokens: scope `{scope}`."

    def _security(self) -> list[dict[str, list[str]]]:
        if not self.view.authentication_classes:
            return []
        return [{}, {SECURITY_SCHEME: []}] if self._access() is Access.PUBLIC else [{SECURITY_SCHEME: []}]

    def _body(self, declared: Operation, serializer: type[Serializer[Any]]) -> dict[str, Any]:
        is_partial = self.method == "PATCH"
        component = self.resolve_serializer(serializer(partial=is_partial), "request")
        content: dict[str, Any] = {"schema": component.ref}
        if declared.request_example is not None:
            content["examples"] = {"Example": {"value": declared.request_example}}
        media_type = self.view.parser_classes[0].media_type
        return {"required": not is_partial, "content": {media_type: content}}

    def _success(self, declared: Operation) -> dict[str, Any]:
        statuses = (declared.status, 201) if declared.may_create else (declared.status,)
        answers: dict[str, Any] = {str(status): self._success_with(status, declared) for status in statuses}
        if declared.etag and self.method == "GET":
            answers["304"] = {"description": "Not changed since the version in `If-None-Match`."}
        return answers

    def _success_with(self, status: int, declared: Operation) -> dict[str, Any]:
        headers: dict[str, Any] = dict(RATE_LIMIT_HEADERS)
        if declared.etag and self.method != "DELETE":
            headers["ETag"] = {"$ref": "#/components/headers/ETag"}
        if status in {201, 302}:
            headers["Location"] = {"$ref": "#/components/headers/Location"}
        answer: dict[str, Any] = {"description": declared.summary, "headers": headers}
        return answer if status in {204, 302} else {**answer, "content": self._content(declared)}

    def _content(self, declared: Operation) -> dict[str, Any]:
        produced = self.view.produces[0]
        if produced == CONTENT_TYPE:
            return {CONTENT_TYPE: self._envelope(declared)}
        examples = {"Example": {"value": declared.response_example}}
        return {produced: {"schema": {"type": "string"}, "examples": examples}}

    def _envelope(self, declared: Operation) -> dict[str, Any]:
        properties: dict[str, Any] = {"success": {"const": True}, "data": self._data(declared)}
        required = ["success", "data"]
        if declared.paginated:
            properties["meta"] = {"$ref": "#/components/schemas/ListMeta"}
            required.append("meta")
        properties["message"] = {"type": "string"}
        media: dict[str, Any] = {"schema": {"type": "object", "properties": properties, "required": required}}
        if declared.response_example is not None or declared.response is None:
            media["examples"] = {"Example": {"value": _example_envelope(declared)}}
        return media

    def _data(self, declared: Operation) -> dict[str, Any]:
        if declared.response is None:
            return {}
        reference: dict[str, Any] = self.resolve_serializer(declared.response(), "response").ref
        return {"type": "array", "items": reference} if self._is_list_view() else reference

    def _failures(self, declared: Operation) -> dict[str, Any]:
        by_status: dict[int, list[type[ApplicationError]]] = {}
        for error in self._errors(declared):
            found = by_status.setdefault(error.status, [])
            if error not in found:
                found.append(error)
        return {str(status): _failure(errors) for status, errors in sorted(by_status.items())}

    def _errors(self, declared: Operation) -> Iterable[type[ApplicationError]]:
        yield from _ALWAYS
        yield from declared.errors
        if self.view.authentication_classes:
            yield from _OF_TOKENS if self.view.open_before_enrollment else (*_OF_TOKENS, MfaEnrollmentRequired)
        access = self._access()
        if access is not Access.PUBLIC:
            yield NotAuthenticated
        if isinstance(access, str) or (self.view.authentication_classes and self._token_scope() != "any"):
            yield PermissionDenied
        if "{" in self.path:
            yield NotFound
        if self.method in {"POST", "PUT", "PATCH"}:
            yield from (ParseFailed, UnsupportedMediaType, PayloadTooLarge)
        if self.method == "POST":
            yield from (Conflict, IdempotencyKeyReused)
        if self.method in CONDITIONAL:
            yield PreconditionFailed


def _with_names(parameter: dict[str, Any], declared: Operation) -> dict[str, Any]:
    """Return the parameter, a list of names (sort, fields, include) with the names that it knows."""
    attribute = {"sort": "sortable", "fields": "selectable", "include": "includable"}.get(parameter["name"], "")
    names = sorted(getattr(declared.query, attribute, ()))
    if not names:
        return parameter
    return {**parameter, "description": f"{parameter['description']} Known: {', '.join(names)}."}


def _failure(errors: Sequence[type[ApplicationError]]) -> dict[str, Any]:
    """Return the response of one status, with an example for each code it may carry."""
    examples = {error.code: {"$ref": f"#/components/examples/{example_name(error)}"} for error in errors}
    return {
        "description": " ".join(f"`{error.code}`: {error.message}" for error in errors),
        "headers": dict(RATE_LIMIT_HEADERS),
        "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Error"}, "examples": examples}},
    }


def _example_envelope(declared: Operation) -> dict[str, Any]:
    example = {"success": True, "data": declared.response_example}
    if declared.paginated:
        example["meta"] = {"page": 1, "per_page": 20, "total": 1, "total_pages": 1}
    return example


def add_shared_components(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Add the envelope, the errors and the headers that operations refer to (a post-processing hook)."""
    components = result.setdefault("components", {})
    for kind, entries in shared_components().items():
        components.setdefault(kind, {}).update(entries)
    return result
