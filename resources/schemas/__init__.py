"""What `data` may hold: JSON Schema 2020-12, linted when a type is written, compiled once per version."""

from resources.schemas.compiled import Schema, compiled, forget_schemas
from resources.schemas.keywords import Keywords
from resources.schemas.lint import refuse_bad_schema
from resources.schemas.workflows import refuse_bad_workflow

__all__ = ["Keywords", "Schema", "compiled", "forget_schemas", "refuse_bad_schema", "refuse_bad_workflow"]
