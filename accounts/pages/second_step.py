"""The second step of signing in to the admin: a code of the app, or a recovery code."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from unfold.widgets import BASE_INPUT_CLASSES

from accounts.pages import staff
from accounts.services import mfa_sign_in
from core.errors import ApplicationError, InvalidToken


class CodeForm(forms.Form):
    """A code, of whichever kind."""

    code = forms.CharField(
        label="Code",
        max_length=100,
        help_text="Of your authenticator app, or one of your recovery codes.",
        widget=forms.TextInput(
            {
                "autocomplete": "one-time-code",
                "autofocus": True,
                "autocapitalize": "off",
                "spellcheck": "false",
                "class": " ".join(BASE_INPUT_CLASSES),
            }
        ),
    )


@sensitive_post_parameters()
@csrf_protect
@never_cache
def prove(request: HttpRequest, page: dict[str, Any]) -> HttpResponse:
    """Ask for the code of the sign-in that waits; with the right one the browser is signed in."""
    if staff.CHALLENGE_KEY not in request.session:
        return HttpResponseRedirect(reverse("admin:login"))
    form = CodeForm(request.POST or None)
    refusal: ApplicationError | None = None
    if request.method == "POST" and form.is_valid():
        try:
            return _enter(request, form.cleaned_data["code"])
        except InvalidToken as ended:
            return _begin_again(request, ended)
        except ApplicationError as error:
            refusal = error
            form.add_error(None, _told(error))
    shown = {**page, "title": "Second step", "form": form, "next": staff.next_page(request)}
    return staff.form_page(request, "admin/second_step.html", shown, refusal)


def _enter(request: HttpRequest, code: str) -> HttpResponse:
    staff.take_try()
    opened = mfa_sign_in.verify_second_factor_of(
        challenge_id=UUID(request.session[staff.CHALLENGE_KEY]),
        method=mfa_sign_in.method_of_code(code),
        given=code,
        device_token=request.COOKIES.get(staff.DEVICE_COOKIE, ""),
    )
    del request.session[staff.CHALLENGE_KEY]
    return staff.let_in(request, opened)


def _begin_again(request: HttpRequest, ended: InvalidToken) -> HttpResponse:
    del request.session[staff.CHALLENGE_KEY]
    messages.error(request, ended.text)
    return HttpResponseRedirect(reverse("admin:login"))


def _told(error: ApplicationError) -> str:
    return "The code is wrong, or has served before." if error.status == 401 else staff.sentence(error)
