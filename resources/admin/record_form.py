"""The form of one resource: what staff write of it, its data as JSON."""

from typing import Any, ClassVar, Final

import orjson
from django import forms
from unfold.widgets import UnfoldAdminTextareaWidget

from core.errors import PreconditionFailed, ValidationFailed
from core.logging import REDACTED, redact
from resources.admin.schema_editor import JsonTextField
from resources.changes import merge_difference, merge_patch
from resources.keywords.sealing import opened
from resources.models import Resource
from resources.schemas import compiled
from resources.services.judging import refuse_bad_data
from resources.services.writing import Precondition, no_precondition

_CODE: Final = {"rows": 14, "spellcheck": "false", "class": "nook-code"}


class ResourceForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    """What staff may write of a resource. `seen_version` is what they saw; without it the newest is changed."""

    contents = JsonTextField(
        label="Data",
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs=_CODE),
        help_text="As the schema of the type says. What you leave out is removed, and so is what you set to null.",
    )
    seen_version = forms.IntegerField(required=False, widget=forms.HiddenInput())

    class Meta:
        model = Resource
        fields = ("name", "description", "visibility", "tags")
        widgets: ClassVar[dict[str, Any]] = {"description": UnfoldAdminTextareaWidget(attrs={"rows": 4})}

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._shown = redact(getattr(self.instance, "readable", {}))
        self.initial["contents"] = self._shown
        self.initial["seen_version"] = self.instance.version

    def clean_contents(self) -> dict[str, Any] | None:
        """Return the typed data as a merge patch of what was shown; None where nothing was changed."""
        typed = self.cleaned_data["contents"]
        if typed is None:
            return None
        if not isinstance(typed, dict):
            raise forms.ValidationError("Give a JSON object.")
        patch = merge_difference(self._shown, typed)
        if REDACTED in orjson.dumps(patch).decode():
            raise forms.ValidationError(f"Beside {REDACTED} nothing can be changed here: the API changes it.")
        self._judge(patch)
        return patch or None

    def changes(self) -> dict[str, Any]:
        """Return what is to be written, as `patch_resource` takes it."""
        names = (name for name in self.changed_data if name in self.Meta.fields)
        changes = {name: self.cleaned_data[name] for name in names}
        patch = self.cleaned_data["contents"]
        return changes if patch is None else {**changes, "data": patch}

    def precondition(self) -> Precondition:
        """Return what refuses the write where others have written since the page was opened."""
        seen = self.cleaned_data["seen_version"]
        if seen is None:
            return no_precondition

        def require_seen(version: int) -> None:
            if version != seen:
                raise PreconditionFailed

        return require_seen

    def _judge(self, patch: dict[str, Any]) -> None:
        """Say on the form what the schema refuses; the service has the last word."""
        resource = self.instance
        data = merge_patch(opened(resource.data, resource.pk), patch)
        try:
            refuse_bad_data(data, compiled(resource.type.pk, resource.type.schema_version))
        except ValidationFailed as refusal:
            raise forms.ValidationError([f"{fault.field}: {fault.message}" for fault in refusal.details]) from None
