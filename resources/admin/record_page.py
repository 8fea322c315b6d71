"""One resource in the admin: its transitions, owner, shares and versions, each change a call of a service."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied as PageDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse

from core.errors import ApplicationError, NotFound, PermissionDenied
from core.model_admin import tell_refusal
from core.permissions import Caller
from resources.admin.record_actions import TransferForm, owner_at
from resources.keywords.field_rules import is_hidden
from resources.keywords.reading import hidden_from
from resources.models import Resource, ResourceHistory, Share
from resources.schemas.keywords import Path
from resources.services.comparing import Comparison, compare_versions
from resources.services.reverting import revert_resource
from resources.services.sharing import remove_share, shares_of
from resources.services.transferring import transfer_resource
from resources.services.transitions import Offer, make_transition, transitions_open_to

SHOWN_VERSIONS: Final = 10
VERSIONS_A_PAGE: Final = 50
SHOWN_SHARES: Final = 100

_PREFIX: Final = "resources_resource_"


@dataclass(frozen=True, slots=True)
class Panels:
    """What stands around the form of one resource; `shares` is None for who may not see them."""

    offers: list[Offer]
    may_transfer: bool
    shares: list[Share] | None
    versions: list[ResourceHistory]
    is_deleted: bool


class RecordPage:
    """Mixed into the page of resources: the panels of one, and where their buttons lead."""

    admin_site: Any
    has_view_permission: Callable[..., bool]

    def own_urls(self) -> list[Any]:
        """Return the routes of the panels' buttons and of the versions."""
        views = {
            "transition": self.transition_view,
            "transfer": self.transfer_view,
            "unshare": self.unshare_view,
            "revert": self.revert_view,
            "versions": self.versions_view,
        }
        return [
            path(f"<uuid:resource_id>/{name}/", self.admin_site.admin_view(view), name=f"{_PREFIX}{name}")
            for name, view in views.items()
        ]

    def transition_view(self, request: HttpRequest, resource_id: UUID) -> HttpResponse:
        name = request.POST.get("name", "")
        done = f"Transition {name} made."
        return self._act(request, resource_id, make_transition, done=done, name=name)

    def transfer_view(self, request: HttpRequest, resource_id: UUID) -> HttpResponse:
        form = TransferForm(request.POST)
        owner = owner_at(form.cleaned_data["owner"] if form.is_valid() else "")
        return self._act(request, resource_id, transfer_resource, done="It has a new owner.", owner_id=owner)

    def unshare_view(self, request: HttpRequest, resource_id: UUID) -> HttpResponse:
        share_id = _id_in(request, "share")
        done = "The share is gone, with all that was given through it."
        return self._act(request, resource_id, remove_share, done=done, share_id=share_id)

    def revert_view(self, request: HttpRequest, resource_id: UUID) -> HttpResponse:
        number = _number_in(request.POST.get("version"))
        done = f"The content is that of version {number} again."
        return self._act(request, resource_id, revert_resource, done=done, number=number)

    def versions_view(self, request: HttpRequest, resource_id: UUID) -> HttpResponse:
        """Show all versions by pages, and what changes from one to another."""
        self._require_view(request)
        resource = Resource.all_objects.filter(pk=resource_id).first()
        if resource is None:
            raise Http404
        before = _number_in(request.GET.get("before")) or resource.version + 1
        versions = list(versions_of(resource).filter(number__lt=before)[:VERSIONS_A_PAGE])
        comparison = self._comparison(request, resource)
        page = {
            **self.admin_site.each_context(request),
            "title": f"Versions of {resource.name}",
            "resource": resource,
            "versions": without_hidden(versions, hidden_from(_actor(request), resource)),
            "comparison": comparison,
            "older": versions[-1].number if len(versions) == VERSIONS_A_PAGE and versions[-1].number > 1 else None,
            "may_revert": resource.deleted_at is None and request.user.has_perm("resources.change_resource"),
        }
        return TemplateResponse(request, "admin/resources/versions.html", page)

    def panels_of(self, request: HttpRequest, resource: Resource) -> Panels:
        """Return what stands around the form."""
        actor = _actor(request)
        is_deleted = resource.deleted_at is not None
        return Panels(
            offers=[] if is_deleted else transitions_open_to(actor=actor, resource_id=resource.pk),
            may_transfer=not is_deleted and (actor.holds("admin") or actor.id == resource.owner_id),
            shares=None if is_deleted else _shares(actor, resource.pk),
            versions=without_hidden(versions_of(resource)[:SHOWN_VERSIONS], hidden_from(actor, resource)),
            is_deleted=is_deleted,
        )

    def _act(
        self, request: HttpRequest, resource_id: UUID, verb: Callable[..., object], *, done: str, **given: Any
    ) -> HttpResponse:
        """Call the service and tell what came of it, on the page of the resource."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        self._require_view(request)
        try:
            verb(actor=_actor(request), resource_id=resource_id, **given)
        except ApplicationError as refusal:
            tell_refusal(request, refusal)
        else:
            messages.success(request, done)
        return HttpResponseRedirect(reverse("admin:resources_resource_change", args=[resource_id]))

    def _comparison(self, request: HttpRequest, resource: Resource) -> Comparison | None:
        after = _number_in(request.GET.get("to")) or resource.version
        before = _number_in(request.GET.get("from")) or max(after - 1, 1)
        try:
            return compare_versions(actor=_actor(request), resource=resource, before=before, after=after)
        except NotFound:
            return None

    def _require_view(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PageDenied


def versions_of(resource: Resource) -> Any:
    """Return the versions of the resource, newest first, with who made them."""
    return ResourceHistory.objects.filter(resource=resource).select_related("actor").order_by("-number")


def without_hidden(versions: Iterable[ResourceHistory], hidden: tuple[Path, ...]) -> list[ResourceHistory]:
    """Return the versions without the names of what the staff member may not read."""
    shown = list(versions)
    for version in shown:
        version.changed = [path for path in version.changed if not is_hidden(path, hidden)]
    return shown


def _shares(actor: Caller, resource_id: UUID) -> list[Share] | None:
    try:
        return list(shares_of(actor=actor, resource_id=resource_id).order_by("-id")[:SHOWN_SHARES])
    except (PermissionDenied, NotFound):
        return None


def _actor(request: HttpRequest) -> Caller:
    return Caller.of(request.user)  # type: ignore[arg-type]  # the admin's users are ours


def _id_in(request: HttpRequest, name: str) -> UUID:
    try:
        return UUID(request.POST.get(name, ""))
    except ValueError:
        return UUID(int=0)


def _number_in(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 10 else 0
