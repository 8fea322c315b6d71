"""What staff do to several resources at once, after a page that asks how: transitions, transfer, removing for good."""

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.widgets import UnfoldAdminEmailInputWidget, UnfoldAdminSelectWidget

from accounts.models import User
from core.permissions import Caller
from resources.models import Resource, ResourceType
from resources.services.bin import destroy_resource
from resources.services.transferring import transfer_resource
from resources.services.transitions import Transition, make_transition

MOST_AT_ONCE: Final = 500
_SHOWN: Final = 20
_NOBODY: Final = UUID(int=0)


class TransferForm(forms.Form):
    """To whom."""

    owner = forms.EmailField(
        label="New owner",
        help_text="The address of somebody who can sign in. What the old owner shared ends.",
        widget=UnfoldAdminEmailInputWidget(),
    )


class TransitionForm(forms.Form):
    """Which way."""

    name = forms.ChoiceField(label="Transition", widget=UnfoldAdminSelectWidget())

    def __init__(self, data: Any, ways: dict[str, str]) -> None:
        super().__init__(data)
        self.fields["name"].choices = list(ways.items())  # type: ignore[attr-defined]  # it is the ChoiceField


class RemovalForm(forms.Form):
    """Nothing to say but yes."""


class RecordActions:
    """Mixed into the page of resources: actions that ask first."""

    admin_site: Any
    for_each: Callable[..., int]

    @admin.action(description="Make a transition…")
    def make_transitions(self, request: HttpRequest, queryset: QuerySet[Resource]) -> HttpResponse | None:
        ways = ways_of(queryset)
        if not ways:
            messages.warning(request, "None of these types has a workflow with transitions.")
            return None
        form = TransitionForm(_answer(request), ways)
        if not form.is_valid():
            return self._ask(request, queryset, form, "make_transitions", "Make a transition")
        name = form.cleaned_data["name"]
        self._do(request, queryset, make_transition, {"name": name}, done=f"{{}} resources: {name}.")
        return None

    @admin.action(description="Give to somebody else…")
    def transfer(self, request: HttpRequest, queryset: QuerySet[Resource]) -> HttpResponse | None:
        form = TransferForm(_answer(request))
        if not form.is_valid():
            return self._ask(request, queryset, form, "transfer", "Give to somebody else")
        given = {"owner_id": owner_at(form.cleaned_data["owner"])}
        self._do(request, queryset, transfer_resource, given, done="{} resources have a new owner.")
        return None

    @admin.action(description="Remove for good…", permissions=["remove"])
    def destroy(self, request: HttpRequest, queryset: QuerySet[Resource]) -> HttpResponse | None:
        form = RemovalForm(_answer(request))
        if not form.is_valid():
            note = "They go with their versions, comments and shares, and nothing brings them back."
            return self._ask(request, queryset, form, "destroy", "Remove for good", note=note)
        self._do(request, queryset, destroy_resource, {}, done="{} resources removed for good.")
        return None

    def _ask(
        self,
        request: HttpRequest,
        queryset: QuerySet[Resource],
        form: forms.Form,
        action: str,
        title: str,
        note: str = "",
    ) -> HttpResponse:
        """Show what was chosen and the form; what it sends is the same action again, with an answer."""
        number = queryset.count()
        page = {
            **self.admin_site.each_context(request),
            "title": title,
            "form": form,
            "note": note,
            "action": action,
            "number": number,
            "shown": list(queryset.order_by("pk")[:_SHOWN]),
            "others": max(number - _SHOWN, 0),
            "chosen": request.POST.getlist(ACTION_CHECKBOX_NAME),
            "across": request.POST.get("select_across", "0"),
            "media": form.media,
        }
        return TemplateResponse(request, "admin/resources/ask.html", page)

    def _do(
        self, request: HttpRequest, queryset: QuerySet[Resource], verb: Any, given: dict[str, Any], *, done: str
    ) -> None:
        do_each(self, request, queryset, lambda actor, row: verb(actor=actor, resource_id=row.pk, **given), done=done)


def do_each(
    page: Any,
    request: HttpRequest,
    queryset: QuerySet[Resource],
    verb: Callable[[Caller, Resource], object],
    *,
    done: str,
) -> None:
    """Do it to each, one transaction for each, unless there are too many for one request."""
    rows = list(queryset.order_by("pk")[: MOST_AT_ONCE + 1])
    if len(rows) > MOST_AT_ONCE:
        messages.error(request, f"Choose {MOST_AT_ONCE} at most; nothing was changed.")
        return
    actor = Caller.of(request.user)  # type: ignore[arg-type]  # the admin's users are ours
    page.for_each(request, rows, lambda row: verb(actor, row), done=done)


def ways_of(queryset: QuerySet[Resource]) -> dict[str, str]:
    """Return the transitions that the types of the resources have: name, and where each leads."""
    keys = queryset.order_by().values_list("type_id").distinct()
    kinds = ResourceType.objects.filter(key__in=keys, workflow__isnull=False).order_by("key")
    found: dict[str, list[str]] = {}
    for kind in kinds:
        for way in Transition.all_of(kind.workflow):
            found.setdefault(way.name, []).append(f"{kind.key}: {', '.join(way.sources)} → {way.to}")
    return {name: f"{name} ({'; '.join(leads)})" for name, leads in found.items()}


def owner_at(address: str) -> UUID:
    """Return whom the address leads to; where nobody, an id that the service refuses as it would any such."""
    found = User.objects.able_to_sign_in().filter(email=address.strip().lower()).values_list("pk", flat=True).first()
    return found or _NOBODY


def _answer(request: HttpRequest) -> Any:
    """Return what the asking page sent; None where the list sent the action first."""
    return request.POST if request.POST.get("answered") else None
