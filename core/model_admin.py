"""The bases of our admin pages: every change goes through a service or into the event log, refusals are messages.

`StaffModelAdmin` lists; `ReadOnlyModelAdmin` lists what staff may only look at; `AuditedModelAdmin` changes.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar, Final, TypeVar

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.decorators import display

from core.errors import ApplicationError, PreconditionFailed
from core.events import publish
from core.permissions import Caller
from core.transactions import again_after_a_lost_race

MOST_LISTED: Final = 10_000
"""How many rows a list pages through; search or a filter reaches the others. Counting more is what makes lists slow."""


Column = TypeVar("Column", bound=Callable[..., str])


def badge(description: str, colours: Mapping[str, str], *, ordering: str | None = None) -> Callable[[Column], Column]:
    """Show a column's value as a badge: `colours` maps values to info, success, warning, danger or primary."""
    decorate: Callable[[Column], Column] = display(description=description, label=dict(colours), ordering=ordering)
    return decorate


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # generic for the type checker only
    """Counts to `MOST_LISTED` and no further, whatever the size of the table."""

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        if isinstance(rows, models.QuerySet):
            return rows.order_by()[:MOST_LISTED].count()
        return len(rows)


class StaffModelAdmin(ModelAdmin):  # type: ignore[misc]  # unfold has no types
    """The base of all: bounded counts, no second log beside ours, refused actions told and not raised."""

    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 25
    list_fullwidth = True
    list_filter_sheet = False
    warn_unsaved_form = True

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return self._told(request, lambda: super(StaffModelAdmin, self).changelist_view(request, extra_context))

    def changeform_view(self, request: HttpRequest, *arguments: Any, **keywords: Any) -> HttpResponse:
        def view() -> HttpResponse:
            # Django's own transaction holds all of it.
            changeform: Callable[..., HttpResponse] = super(StaffModelAdmin, self).changeform_view
            return again_after_a_lost_race(lambda: changeform(request, *arguments, **keywords))

        return self._told(request, view)

    def delete_view(self, request: HttpRequest, *arguments: Any, **keywords: Any) -> HttpResponse:
        return self._told(request, lambda: super(StaffModelAdmin, self).delete_view(request, *arguments, **keywords))

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Let an address filter by what the page's filters name only.

        Django lets it filter by every column, and so spell out a password's hash one letter a request.
        """
        column = lookup.partition("__")[0]
        named = any(item == column or getattr(item, "parameter_name", None) == lookup for item in self.list_filter)
        return named and bool(super().lookup_allowed(lookup, value, request))

    def _told(self, request: HttpRequest, view: Callable[[], HttpResponse]) -> HttpResponse:
        """Answer what a service refuses with the reason, on the page it came from; Django has rolled it back."""
        try:
            return view()
        except ApplicationError as refusal:
            tell_refusal(request, refusal)
            return HttpResponseRedirect(request.get_full_path())

    def for_each(self, request: HttpRequest, rows: Iterable[Any], act: Callable[[Any], object], *, done: str) -> int:
        """Call `act` on each row; tell how many it was done to (`done`: "{} sessions ended"), and each refusal."""
        count = 0
        for row in rows:
            try:
                act(row)
            except ApplicationError as refusal:
                tell_refusal(request, refusal, about=str(row))
            else:
                count += 1
        messages.success(request, done.format(count))
        return count

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the row's events: they are its history."""
        return HttpResponseRedirect(f"{reverse('admin:core_event_changelist')}?q={object_id}")

    def log_addition(self, request: HttpRequest, obj: models.Model, message: Any) -> None:
        """Write nothing: the event log has it."""

    def log_change(self, request: HttpRequest, obj: models.Model, message: Any) -> None:
        """Write nothing: the event log has it."""

    def log_deletions(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> None:
        """Write nothing: the event log has it."""


class ReadOnlyModelAdmin(StaffModelAdmin):
    """Pages to look at; what can be done is done by actions."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


CheckSeen = Callable[[int | datetime], None]
"""Gets the version of the newest state (its `updated_at` where it has none); raises where staff have seen another."""


class SeenForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    """A form that knows which state of the row it was filled in from. Without `seen` the newest is changed."""

    seen = forms.CharField(required=False, widget=forms.HiddenInput())

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        if not self.instance._state.adding:
            self.initial["seen"] = _mark(_version_of(self.instance))

    def check_seen(self, version: int | datetime) -> None:
        """Raise `PreconditionFailed` where somebody else has written since the page was opened."""
        seen = self.cleaned_data.get("seen")
        if seen and seen != _mark(version):
            raise PreconditionFailed


def _version_of(row: Any) -> int | datetime:
    version: int | datetime = getattr(row, "version", None) or row.updated_at
    return version


def _mark(version: int | datetime) -> str:
    return version.isoformat() if isinstance(version, datetime) else str(version)


def _any(version: int | datetime) -> None:
    """Accept whatever state there is."""


class AuditedModelAdmin(StaffModelAdmin):
    """Pages to change rows on; every change is one event, in the transaction of the change.

    A model with services overrides `create`, `change` and `remove` to call them. One without sets
    `event_family` (`resource_type` gives `resource_type.created`, …) and `unlogged_fields` (secrets). A `form` that is
    a `SeenForm` keeps a page that has been open for long from overwriting what others have written meanwhile.
    """

    event_family: ClassVar[str] = ""
    unlogged_fields: ClassVar[frozenset[str]] = frozenset()

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the fields, and what was seen of a row that may be changed."""
        *others, (title, options) = super().get_fieldsets(request, obj)
        fields = [field for field in options["fields"] if field != "seen"]
        if obj is not None and issubclass(self.form, SeenForm) and self.has_change_permission(request, obj):
            fields.append("seen")
        return [*others, (title, {**options, "fields": fields})]

    def create(self, actor: Caller, row: Any, values: dict[str, Any]) -> Any:
        """Create `row` as the form filled it in and return it (or what a service created instead)."""
        row.save(force_insert=True)
        self._publish("created", row, actor, {"after": self._loggable(values)})
        return row

    def change(self, actor: Caller, row: Any, changes: dict[str, Any], check_seen: CheckSeen) -> None:
        """Apply the form's `changes`, which are set on `row` already, to the stored row, where `check_seen` lets it."""
        before = type(row)._base_manager.select_for_update().get(pk=row.pk)
        check_seen(_version_of(before))
        row.save(update_fields=list(changes))
        old = {name: getattr(before, name) for name in changes}
        self._publish("updated", row, actor, {"before": self._loggable(old), "after": self._loggable(changes)})

    def remove(self, actor: Caller, row: Any) -> None:
        """Delete the row."""
        self._publish("deleted", row, actor, {"before": {"name": str(row)}})
        row.delete()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        actor = Caller.of(request.user)  # type: ignore[arg-type]  # the admin's users are ours
        with transaction.atomic():
            if not change:
                obj.__dict__.update(self.create(actor, obj, _but_seen(form.cleaned_data)).__dict__)
                return
            changes = {name: form.cleaned_data[name] for name in form.changed_data if name in form.cleaned_data}
            if changes := _but_seen(changes):
                self.change(actor, obj, changes, form.check_seen if isinstance(form, SeenForm) else _any)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        with transaction.atomic():
            self.remove(Caller.of(request.user), obj)  # type: ignore[arg-type]  # as above

    def delete_queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> None:
        for row in queryset.order_by("pk"):
            self.delete_model(request, row)

    def _publish(self, verb: str, row: models.Model, actor: Caller, data: dict[str, Any]) -> None:
        publish(f"{self.event_family or row._meta.model_name}.{verb}", subject=row, actor=actor, data=data)

    def _loggable(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return the values as the log keeps them: no secrets, rows by their key."""
        return {
            name: str(value.pk) if isinstance(value, models.Model) else value
            for name, value in values.items()
            if name not in self.unlogged_fields
        }


def _but_seen(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != "seen"}


def tell_refusal(request: HttpRequest, refusal: ApplicationError, *, about: str = "") -> None:
    """Show why a service refused, on the next page."""
    reasons = [detail.message for detail in refusal.details] or [refusal.text]
    for reason in reasons:
        messages.error(request, f"{about}: {reason}" if about else reason)
