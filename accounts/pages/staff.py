"""How staff get into the admin: our own sign-in, with its throttle, its sessions and its revocation."""

from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.contrib import auth
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from unfold.forms import AdminOwnPasswordChangeForm
from unfold.widgets import BASE_INPUT_CLASSES

from accounts.models import Session, User
from accounts.services import passwords, sessions
from accounts.services.mfa_challenges import MfaChallenge
from accounts.services.sessions import SignIn
from core import context
from core.addresses import limit_identity
from core.errors import ApplicationError, PermissionDenied, RateLimited
from core.permissions import Caller
from core.ratelimit import take

SESSION_KEY: Final = "session_id"
CHALLENGE_KEY: Final = "mfa_challenge"
"""Which sign-in waits for its second step; all else about it is in our table, where no browser reaches."""

DEVICE_COOKIE: Final = "nook_admin_device"
_DEVICE_COOKIE_SECONDS: Final = 365 * 24 * 3600


class SignInForm(forms.Form):
    """E-mail address and password."""

    username = forms.EmailField(
        label="E-mail address",
        max_length=255,
        widget=forms.EmailInput({"autofocus": True, "autocomplete": "username", "class": " ".join(BASE_INPUT_CLASSES)}),
    )
    password = forms.CharField(
        label="Password",
        max_length=1024,
        strip=False,
        widget=forms.PasswordInput({"autocomplete": "current-password", "class": " ".join(BASE_INPUT_CLASSES)}),
    )


class PasswordForm(AdminOwnPasswordChangeForm):  # type: ignore[misc]  # unfold has no types
    """Django's form for one's own password, whose change is made by our service."""

    def __init__(self, user: Any, *arguments: Any, **keywords: Any) -> None:
        super().__init__(user, *arguments, **keywords)
        self.actor: Caller | None = None

    def clean_old_password(self) -> str:
        """Leave the check to the service, which throttles it."""
        return str(self.cleaned_data["old_password"])

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean()
        if self.errors or self.actor is None:
            return values
        try:
            passwords.change_password(
                actor=self.actor, current_password=values["old_password"], new_password=values["new_password1"]
            )
        except ApplicationError as refusal:
            field = "new_password1" if refusal.details else "old_password"
            self.add_error(field, [detail.message for detail in refusal.details] or sentence(refusal))
        return values

    def save(self, commit: bool = True) -> User:
        """Return the user with the password that the service has stored."""
        self.user.refresh_from_db()
        user: User = self.user
        return user


def live_session(request: HttpRequest) -> Session | None:
    """Return the session that the person signed in with unless it has been ended since; read once a page.

    Its user is that person, also while they act as somebody else.
    """
    known: Session | None = getattr(request, "_nook_session", None)
    user: Any = request.user
    session_id, user_id = request.session.get(SESSION_KEY), getattr(user, "impersonated_by", None) or user.pk
    if known is None and session_id is not None and user_id is not None:
        wanted = Session.objects.live().select_related("user__role").filter(pk=session_id, user_id=user_id)
        known = request._nook_session = wanted.first()  # type: ignore[attr-defined]  # a note on the request
    return known


def session_lives(request: HttpRequest) -> bool:
    """Return whether the session that the person signed in with has not been ended since."""
    return live_session(request) is not None


def must_enroll(request: HttpRequest) -> bool:
    """Return whether the person's role demands two-factor sign-in and their live session lacks the second factor."""
    session = live_session(request)
    if session is None or not session.user.role.demands_mfa:
        return False
    return not (session.user.mfa_enabled and "mfa" in session.amr)


def caller_of(request: HttpRequest) -> Caller:
    """Return the signed-in person as the caller of a service, in the session they signed in with."""
    user: Any = request.user
    session = Session.objects.get(pk=request.session[SESSION_KEY])
    return replace(Caller.of(user), session_id=session.pk, authenticated_at=session.authenticated_at)


@sensitive_post_parameters()
@csrf_protect
@never_cache
def sign_in(request: HttpRequest, page: dict[str, Any]) -> HttpResponse:
    """Show the sign-in form; open a session for staff who know their password, or ask them for the second step."""
    if request.method == "GET" and must_enroll(request):
        return HttpResponseRedirect(reverse("admin:two_factor"))
    form = SignInForm(request.POST or None)
    refusal: ApplicationError | None = None
    if request.method == "POST" and form.is_valid():
        try:
            return _enter(request, form.cleaned_data["username"], form.cleaned_data["password"])
        except ApplicationError as error:
            refusal = error
            form.add_error(None, sentence(error))
    shown = {**page, "title": "Sign in", "form": form, "next": next_page(request)}
    return form_page(request, "admin/login.html", shown, refusal)


@never_cache
@csrf_protect
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    if request.user.is_authenticated and session_lives(request):
        sessions.sign_out(actor=caller_of(request))
    auth.logout(request)
    return HttpResponseRedirect(reverse("admin:login"))


def _enter(request: HttpRequest, email: str, password: str) -> HttpResponse:
    take_try()
    device_token = request.COOKIES.get(DEVICE_COOKIE, "")
    user = sessions.check_password(email=email, password=password, device_token=device_token)
    if not user.is_staff:
        raise PermissionDenied("This account has no part in the administration.")
    opened = sessions.finish_sign_in(user=user, device_token=device_token, amr=["pwd"])
    if isinstance(opened, MfaChallenge):
        request.session[CHALLENGE_KEY] = str(opened.id)
        return HttpResponseRedirect(f"{reverse('admin:second_step')}?{urlencode({'next': next_page(request)})}")
    return let_in(request, opened)


def take_try() -> None:
    """Count a try to prove who one is for the address it comes from; raises `RateLimited`."""
    verdict = take("auth", limit_identity(context.current().ip))
    if not verdict.allowed:
        raise RateLimited(retry_after=verdict.retry_after)


def let_in(request: HttpRequest, opened: SignIn) -> HttpResponse:
    """Sign the browser in to the session that was opened, and lead on to where the person wanted to go."""
    auth.login(request, opened.user, backend="accounts.backends.RoleBackend")
    request.session[SESSION_KEY] = str(opened.session.pk)
    return _remembering_device(HttpResponseRedirect(next_page(request)), opened)


def form_page(
    request: HttpRequest, template: str, page: dict[str, Any], refusal: ApplicationError | None
) -> TemplateResponse:
    """Return a page with a form: 429 with its `Retry-After` where the next try has to wait, else 200."""
    is_limited = isinstance(refusal, RateLimited)
    headers = refusal.headers if refusal is not None and is_limited else None
    return TemplateResponse(request, template, page, status=429 if is_limited else 200, headers=headers)


def _remembering_device(response: HttpResponse, opened: SignIn) -> HttpResponse:
    response.set_cookie(
        DEVICE_COOKIE,
        opened.device_token,
        max_age=_DEVICE_COOKIE_SECONDS,
        path=reverse("admin:index"),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Strict",
    )
    return response


def next_page(request: HttpRequest) -> str:
    """Return the page of ours that the person wanted, or the first one."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if is_ours else reverse("admin:index")


def sentence(error: ApplicationError) -> str:
    """Return what to tell of a refusal."""
    if isinstance(error, RateLimited):
        return f"Too many tries; wait {error.headers['Retry-After']} seconds."
    return error.text
