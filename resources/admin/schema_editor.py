"""The editor of a type's schema and workflow: text areas with what the server says of them beside."""

import json
from typing import Any, Final

from django import forms
from django.urls import reverse_lazy
from unfold.widgets import UnfoldAdminTextareaWidget

from core.api.parser import parse_json
from core.errors import ApplicationError, Detail
from resources.schemas.preview import Example
from resources.services.misfits import Sample
from resources.services.transitions import Transition
from resources.services.type_checks import MOST_JUDGED, TypeCheck

CHECK: Final = "admin:resources_resourcetype_check"


class SchemaEditor(UnfoldAdminTextareaWidget):  # type: ignore[misc]  # unfold has no types
    """A text area for JSON; `type_editor.js` fills what stands beside it."""

    template_name = "resources/schema_editor.html"

    def __init__(self, rows: int) -> None:
        super().__init__({"rows": rows, "spellcheck": "false", "data-check": reverse_lazy(CHECK)})
        self.attrs["class"] = f"{self.attrs.get('class', '')} nook-code"

    class Media:
        js = [forms.Script("resources/type_editor.js", defer=True)]


class JsonTextField(forms.JSONField):
    """JSON as the API reads it: strict, and never so deep that reading it ends in an error of ours."""

    def to_python(self, value: Any) -> Any:
        if self.disabled or value in self.empty_values or not isinstance(value, str):
            return super().to_python(value)
        try:
            return parse_json(value.encode())
        except ApplicationError as refusal:
            raise forms.ValidationError(refusal.text.replace("request body", "text")) from None

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Return what was typed: it is shown again as it is."""
        return initial if self.disabled else data

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, str):
            return value
        return json.dumps(value, indent=2, ensure_ascii=False)


def read_text(name: str, text: str) -> tuple[Any, list[Detail]]:
    """Return what the text of a field says, and what is wrong with it as JSON."""
    try:
        return (parse_json(text.encode()) if text.strip() else None), []
    except ApplicationError as refusal:
        return None, [Detail(name, "no_json", refusal.text.replace("request body", "text"))]


def as_answer(check: TypeCheck, workflow: Any) -> dict[str, Any]:
    """Return what the page is told of a check."""
    return {
        "faults": [_fault(detail) for detail in check.faults],
        "fields": [
            [field.path, field.type, "required" if field.is_required else "", field.rules] for field in check.fields
        ],
        "example": None if check.example is None else _example(check.example),
        "sample": None if check.sample is None else _sample(check.sample),
        "transitions": None if workflow is None or check.faults else [_way(way) for way in Transition.all_of(workflow)],
    }


def _example(example: Example) -> dict[str, Any]:
    text = json.dumps(example.data, indent=2, ensure_ascii=False)
    return {"text": text, "faults": [_fault(detail) for detail in example.faults]}


def _sample(sample: Sample) -> dict[str, Any]:
    newest = "newest " if sample.judged >= MOST_JUDGED else ""
    return {"refused": sample.refused, "judged_text": f"the {newest}{sample.judged:,} resource(s)"}


def _fault(detail: Detail) -> dict[str, str]:
    return {"path": detail.field or "", "code": detail.code, "message": detail.message}


def _way(way: Transition) -> list[str]:
    return [way.name, ", ".join(way.sources), way.to, ", ".join(way.allow) or "nobody", ", ".join(way.require)]
