"""An administrator in somebody's place, in the browser: how it begins and ends, and who a request then is from."""

from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied as PageDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget

from accounts.models import Impersonation, User
from accounts.pages.staff import SESSION_KEY, caller_of
from accounts.services import sessions
from accounts.services.impersonation import (
    LONGEST,
    REASON_LENGTH,
    SHORTEST,
    Stay,
    end_impersonation,
    live_impersonation,
    start_impersonation,
)
from accounts.services.mfa_sign_in import reauthenticate_by_code
from core.errors import ApplicationError, ReauthenticationRequired
from core.middleware import PageAuthenticationMiddleware
from core.permissions import ADMIN, Caller

ACTING_KEY: Final = "impersonation_id"


class ActingForm(forms.Form):
    """Why, and for how long."""

    reason = forms.CharField(
        max_length=REASON_LENGTH,
        help_text="It is kept, and the user is told.",
        widget=UnfoldAdminTextInputWidget(attrs={"autofocus": True}),
    )
    minutes = forms.IntegerField(
        min_value=SHORTEST, max_value=LONGEST, initial=30, widget=UnfoldAdminIntegerFieldWidget()
    )


class ConfirmedActingForm(ActingForm):
    """The same for somebody who signed in more than ten minutes ago."""

    password = forms.CharField(
        label="Your own password",
        max_length=1024,
        strip=False,
        help_text="You signed in more than ten minutes ago.",
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "current-password"}),
    )


class CodeActingForm(ActingForm):
    """The same for somebody with two-factor sign-in."""

    code = forms.CharField(
        label="A code of your own app",
        max_length=40,
        help_text="You signed in more than ten minutes ago; a recovery code serves too.",
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "one-time-code"}),
    )


class StaffAuthenticationMiddleware(PageAuthenticationMiddleware):
    """`request.user` from the browser's session: the person, or the staff member in whose place they are."""

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        person = request.user
        request.user = SimpleLazyObject(lambda: _acted_as(request, person))  # type: ignore[assignment]  # as Django's own


def stay_of(request: HttpRequest) -> Impersonation | None:
    """Return what this browser's administrator has begun, while it lasts; read once a request."""
    if not hasattr(request, "_stay"):
        request._stay = _find_stay(request)  # type: ignore[attr-defined]  # a note on the request
    return request._stay  # type: ignore[attr-defined, no-any-return]  # as above


@sensitive_post_parameters()
@never_cache
def begin(request: HttpRequest, user_id: UUID, page: dict[str, Any]) -> HttpResponse:
    """Ask why and for how long; then show the access token, once."""
    actor = caller_of(request)
    if not actor.holds(ADMIN) or actor.impersonated_by is not None:
        raise PageDenied
    user = User.objects.select_related("role").filter(pk=user_id).first()
    if user is None:
        raise Http404
    form = _form_for(request, actor)(request.POST or None)
    page = {**page, "title": f"Act as {user}", "form": form, "subject": user}
    if request.method == "POST" and form.is_valid():
        try:
            stay = _begin(request, actor, user, form.cleaned_data)
        except ApplicationError as refusal:
            _tell(form, refusal)
        else:
            page |= {"stay": stay, "acting": _note(request, stay)}
            return TemplateResponse(request, "admin/acting_begun.html", page)
    return TemplateResponse(request, "admin/acting_begin.html", page)


@never_cache
def stop(request: HttpRequest) -> HttpResponse:
    """End what this browser's administrator has begun; they are themself again."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    stay = stay_of(request)
    if stay is not None:
        end_impersonation(actor=Caller.of(request.user), impersonation_id=stay.pk)  # type: ignore[arg-type]  # ours
        messages.success(request, f"You no longer act as {stay.user}.")
    request.session.pop(ACTING_KEY, None)
    request.session.cycle_key()
    return HttpResponseRedirect(reverse("admin:index"))


def _begin(request: HttpRequest, actor: Caller, user: User, values: dict[str, Any]) -> Stay:
    if "password" in values:
        sessions.reauthenticate(actor=actor, password=values["password"])
    if "code" in values:
        reauthenticate_by_code(actor=actor, code=values["code"])
    actor = caller_of(request)
    return start_impersonation(actor=actor, user_id=user.pk, reason=values["reason"], minutes=values["minutes"])


def _note(request: HttpRequest, stay: Stay) -> Impersonation:
    request.session[ACTING_KEY] = str(stay.impersonation.pk)
    request.session.cycle_key()
    return stay.impersonation


def _form_for(request: HttpRequest, actor: Caller) -> type[ActingForm]:
    try:
        sessions.require_recent_sign_in(actor)
    except ReauthenticationRequired:
        return CodeActingForm if getattr(request.user, "mfa_enabled", False) else ConfirmedActingForm
    return ActingForm


def _tell(form: ActingForm, refusal: ApplicationError) -> None:
    for detail in refusal.details:
        form.add_error(detail.field if detail.field in form.fields else None, detail.message)
    if not refusal.details:
        form.add_error(None, refusal.text)


def _find_stay(request: HttpRequest) -> Impersonation | None:
    stay_id, session_id = request.session.get(ACTING_KEY), request.session.get(SESSION_KEY)
    if stay_id is None or session_id is None:
        return None
    return live_impersonation(impersonation_id=UUID(stay_id), session_id=UUID(session_id))


def _acted_as(request: HttpRequest, person: Any) -> Any:
    """Return the user that the request speaks for; `person` is whoever has signed in."""
    stay = stay_of(request)
    if stay is None or stay.administrator_id != person.pk or not stay.user.is_staff:
        return person
    stay.user.impersonated_by = stay.administrator_id
    return stay.user
