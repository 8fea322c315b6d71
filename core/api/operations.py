"""What a handler declares of itself: the OpenAPI text and the strictness of its input, in one decorator.

    @operation(
        "Create a role",
        description="Names are unique.",
        request=RoleInput,                  # serializer class of the body; left out: the body takes no field
        query=None,                         # Query class; left out: no parameter is taken
        response=RoleShape,                 # serializer class of `data`; left out: no data
        status=201,
        request_example={"name": "editor", "permissions": ["read:resource"]},
        response_example={"id": 4, "name": "editor", ...},
        errors=(Conflict,),                 # beyond those that follow from access, input and limits
    )
    def post(self, request): ...

For lists: `many=True`; `paginated=True` adds the meta of pages and cursors. `etag=True` documents ETag,
If-None-Match (GET) and If-Match (PUT, PATCH, DELETE, and a POST that names `PreconditionFailed` among its errors).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from rest_framework.serializers import Serializer

from core.api.query import Query
from core.errors import ApplicationError

Handler = TypeVar("Handler", bound=Callable[..., Any])

_ATTRIBUTE: Final = "nook_operation"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the API, as its handler declares it."""

    summary: str
    description: str = ""
    request: type[Serializer[Any]] | None = None
    query: type[Query] | None = None
    response: type[Serializer[Any]] | None = None
    status: int = 200
    may_create: bool = False
    """Whether it answers 201 with the same body where it made something."""
    many: bool = False
    paginated: bool = False
    etag: bool = False
    headers: Sequence[dict[str, Any]] = ()
    """Parameters in the header that only this operation knows, as `OpenApiParameter` takes them."""
    request_example: Any = None
    response_example: Any = None
    errors: Sequence[type[ApplicationError]] = ()
    deprecated: bool = False

    def __call__(self, handler: Handler) -> Handler:
        """Attach this declaration to the handler."""
        setattr(handler, _ATTRIBUTE, self)
        return handler


operation: Final = Operation
"""The decorator's spelling: `@operation("List users", ...)`."""


def operation_of(handler: Callable[..., Any] | None) -> Operation | None:
    """Return what the handler declares, or None."""
    declared: Operation | None = getattr(handler, _ATTRIBUTE, None)
    return declared
