"""Where staff manage their own two-factor sign-in; who has to set it up sees this page and no other."""

from collections.abc import Callable
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters

from accounts.pages import staff
from accounts.services import authenticator_apps, mfa_sign_in, sessions
from accounts.services.totp import qr_svg
from core.errors import ApplicationError, ReauthenticationRequired
from core.permissions import Caller

Codes = list[str] | None


@sensitive_post_parameters()
@csrf_protect
@never_cache
def manage(request: HttpRequest, page: dict[str, Any], *, may_enter: bool) -> HttpResponse:
    """Show what the person has, and do what they ask for; recovery codes are shown in the answer that made them."""
    user: Any = request.user
    if not staff.session_lives(request) or not user.is_staff:
        return HttpResponseRedirect(f"{reverse('admin:login')}?{urlencode({'next': request.path})}")
    actor = staff.caller_of(request)
    codes: Codes = None
    refusal: ApplicationError | None = None
    if request.method == "POST":
        try:
            codes = _do(request, actor)
        except ApplicationError as error:
            refusal = error
        if refusal is None and codes is None:
            return HttpResponseRedirect(request.path)
    shown = {**page, **_state(actor, codes), "may_enter": may_enter or bool(codes)}
    return staff.form_page(request, "admin/two_factor.html", {**shown, "refusal": _told(refusal)}, refusal)


def _do(request: HttpRequest, actor: Caller) -> Codes:
    """Do what the button says; return the recovery codes that it made."""
    act = _ACTS.get(request.POST.get("do", ""))
    return act(request, actor) if act is not None else None


def _prove(request: HttpRequest, actor: Caller) -> None:
    """Prove again who one is: by a code where there is a second factor, else by the password."""
    staff.take_try()
    mfa_sign_in.reauthenticate_by_either(actor=actor, proof=request.POST.get("proof", ""))


def _begin(request: HttpRequest, actor: Caller) -> None:
    authenticator_apps.begin_app(actor=actor)


def _confirm(request: HttpRequest, actor: Caller) -> Codes:
    staff.take_try()
    return authenticator_apps.confirm_app(actor=actor, code=request.POST.get("code", ""))


def _renew(request: HttpRequest, actor: Caller) -> Codes:
    return authenticator_apps.renew_recovery_codes(actor=actor)


def _remove(request: HttpRequest, actor: Caller) -> None:
    authenticator_apps.remove_app(actor=actor)
    messages.success(request, "The authenticator app was removed.")


_ACTS: Final[dict[str, Callable[[HttpRequest, Caller], Codes]]] = {
    "prove": _prove,
    "begin": _begin,
    "confirm": _confirm,
    "renew": _renew,
    "remove": _remove,
}


def _state(actor: Caller, codes: Codes) -> dict[str, Any]:
    waiting = authenticator_apps.waiting_app(actor=actor) if _is_recent(actor) else None
    return {
        "title": "Two-factor sign-in",
        "state": authenticator_apps.describe_second_factors(actor=actor),
        "is_recent": _is_recent(actor),
        "waiting": waiting,
        "picture": qr_svg(waiting.otpauth_uri) if waiting is not None else "",
        "codes": codes,
    }


def _is_recent(actor: Caller) -> bool:
    try:
        sessions.require_recent_sign_in(actor)
    except ReauthenticationRequired:
        return False
    return True


def _told(refusal: ApplicationError | None) -> list[str]:
    if refusal is None:
        return []
    if refusal.status == 401:
        return ["That was wrong, or a code that has served before."]
    return [detail.message for detail in refusal.details] or [staff.sentence(refusal)]
