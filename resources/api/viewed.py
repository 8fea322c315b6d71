"""Saved views as parameters of the list: judged as the list judges its own when saved, and whenever they are used."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from django.utils.datastructures import MultiValueDict
from rest_framework import serializers
from rest_framework.request import Request

from core.api.query import Query, parse_query
from core.api.serializers import validate
from core.errors import Detail, NotAuthenticated, ValidationFailed
from core.permissions import Caller
from resources.models import SavedView
from resources.parameters import ListQuery
from resources.questions import Question, read_parameters

VIEW: Final = "view"
NOT_SAVED: Final = frozenset({"page", "cursor", VIEW})
"""Where one is in a list is no part of what one looks for."""

Filters = Mapping[str, str | list[str]]


class ViewedListQuery(ListQuery):
    """A list's parameters, or those of a saved view."""

    view = serializers.UUIDField(
        required=False, help_text="Id of a saved view: its parameters count where the request gives none."
    )


class ViewReference(Query):
    """The one parameter that is read before the others."""

    view = serializers.UUIDField()


def list_query(request: Request, caller: Caller) -> dict[str, Any]:
    """Return what the request asks of the list; where it names a view, with that view's parameters.

    Raises `ValidationFailed` with the field `view` for a view that the caller does not see, and with `view.<name>`
    for each parameter in it that the list takes no longer: what is saved today is used after the schema has changed.
    """
    asked = request.query_params
    if VIEW not in asked:
        return parse_query(ViewedListQuery, request)
    reference = validate(ViewReference, MultiValueDict({VIEW: asked.getlist(VIEW)}))
    view = _view(reference[VIEW], caller)
    saved = {name: value for name, value in parameters_of(view.filters).items() if name not in asked}
    given = {name: asked.getlist(name) for name in asked if name != VIEW}
    try:
        query = read_parameters({**saved, **given})
        Question.of(caller, query)
    except ValidationFailed as refusal:
        raise ValidationFailed(details=[_of_view(detail, saved) for detail in refusal.details]) from None
    return query


def refuse_bad_filters(filters: Filters, caller: Caller) -> None:
    """Raise `ValidationFailed` with `filters.<name>` for each parameter that the list does not take."""
    wrong = sorted(NOT_SAVED & filters.keys())
    if wrong:
        message = "Where one is in the list is not saved."
        raise ValidationFailed(details=[Detail(f"filters.{name}", "not_saved", message) for name in wrong])
    try:
        Question.of(caller, read_parameters(parameters_of(filters)))
    except ValidationFailed as refusal:
        raise ValidationFailed(details=[_under("filters", detail) for detail in refusal.details]) from None


def parameters_of(filters: Filters) -> dict[str, list[str]]:
    """Return the parameters as a query string gives them: each with all its values."""
    return {name: value if isinstance(value, list) else [value] for name, value in filters.items()}


def _view(view_id: Any, caller: Caller) -> SavedView:
    if caller.is_anonymous:
        raise NotAuthenticated
    view = SavedView.objects.visible_to(caller).filter(id=view_id).first()
    if view is None:
        raise ValidationFailed.of(VIEW, "does_not_exist", "There is no such saved view.")
    return view


def _of_view(detail: Detail, saved: Iterable[str]) -> Detail:
    """Return the fault as one of the view where the view brought it (`tag.0` is one of `tag`)."""
    name = detail.field or ""
    is_saved = any(name == one or name.startswith(f"{one}.") for one in saved)
    return _under(VIEW, detail) if is_saved else detail


def _under(root: str, detail: Detail) -> Detail:
    return Detail(f"{root}.{detail.field}" if detail.field else root, detail.code, detail.message)
