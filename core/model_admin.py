"""The bases of our admin pages: every change goes through a service or into the event log, refusals are messages.

`StaffModelAdmin` lists; `ReadOnlyModelAdmin` lists what staff may only look at; `AuditedModelAdmin` changes.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any, ClassVar, Final, TypeVar

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.decorators import display

from core.errors import ApplicationError
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


class AuditedModelAdmin(StaffModelAdmin):
    """Pages to change rows on; every change is one event, in the transaction of the change.

    A model with services overrides `create`, `change` and `remove` to call them. One without sets
    `event_family` (`resource_type` gives `resource_type.created`, …) and `unlogged_fields` (secrets).
    """

    event_family: ClassVar[str] = ""
    unlogged_fields: ClassVar[frozenset[str]] = frozenset()

    def create(self, actor: Caller, row: Any, values: dict[str, Any]) -> Any:
        """Create `row` as the form filled it in and return it (or what a service created instead)."""
        row.save(force_insert=True)
        self._publish("created", row, actor, {"after": self._loggable(values)})
        return row

    def change(self, actor: Caller, row: Any, changes: dict[str, Any]) -> None:
        """Apply the form's `changes`, which are set on `row` already, to the stored row."""
        before = type(row)._base_manager.select_for_update().get(pk=row.pk)
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
                obj.__dict__.update(self.create(actor, obj, dict(form.cleaned_data)).__dict__)
                return
            changes = {name: form.cleaned_data[name] for name in form.changed_data if name in form.cleaned_data}
            if changes:
                self.change(actor, obj, changes)

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


def tell_refusal(request: HttpRequest, refusal: ApplicationError, *, about: str = "") -> None:
    """Show why a service refused, on the next page."""
    reasons = [detail.message for detail in refusal.details] or [refusal.text]
    for reason in reasons:
        messages.error(request, f"{about}: {reason}" if about else reason)
