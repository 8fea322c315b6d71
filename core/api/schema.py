"""OpenAPI from the code: drf-spectacular reads what `@operation` declares."""

from drf_spectacular.openapi import AutoSchema


class OperationSchema(AutoSchema):
    """Describes an operation by the `Operation` of its handler."""
