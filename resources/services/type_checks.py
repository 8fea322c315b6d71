"""What a type would be, before it is written: faults, what it accepts, and how the rows that are there would fare."""

from dataclasses import dataclass, field
from typing import Any, Final

from core.errors import Detail, PermissionDenied, ValidationFailed
from core.permissions import ADMIN, Caller
from resources.models import ResourceType
from resources.schemas import Keywords, refuse_bad_schema, refuse_bad_workflow
from resources.schemas.preview import Example, Field, example_of, fields_of
from resources.services.keyword_changes import refuse_unknown_names
from resources.services.misfits import Sample, refusal_by, refused_of_newest

MOST_JUDGED: Final = 20_000
"""How many of the newest rows are judged: a tenth of a second, while somebody types."""


@dataclass(frozen=True, slots=True)
class TypeCheck:
    """What is to be said. Without `faults` there are fields and an example; `sample` where the type has rows."""

    faults: tuple[Detail, ...]
    fields: list[Field] = field(default_factory=list)
    example: Example | None = None
    sample: Sample | None = None


def check_type(*, actor: Caller, key: str, schema: Any, workflow: Any) -> TypeCheck:
    """Judge a schema and a workflow as writing them would; `key` names the type whose rows they are held against."""
    if not actor.holds(ADMIN):
        raise PermissionDenied
    faults = (*_faults_of(refuse_bad_schema, schema), *_faults_of(refuse_bad_workflow, workflow))
    if not faults:
        faults = _faults_of(lambda known: refuse_unknown_names(Keywords.of(known), key=key), schema)
    if faults:
        return TypeCheck(faults)
    return TypeCheck((), fields_of(schema), example_of(schema), _sample(key, schema, workflow))


def _faults_of(refuse: Any, value: Any) -> tuple[Detail, ...]:
    try:
        refuse(value)
    except ValidationFailed as refusal:
        return refusal.details
    return ()


def _sample(key: str, schema: Any, workflow: Any) -> Sample | None:
    kind = ResourceType.objects.filter(key=key).first()
    if kind is None:
        return None
    wanted = {"schema": schema, "workflow": workflow}
    changes = {name: value for name, value in wanted.items() if value != getattr(kind, name)}
    if not changes:
        return None
    return refused_of_newest(key, refusal_by(changes), at_most=MOST_JUDGED)
