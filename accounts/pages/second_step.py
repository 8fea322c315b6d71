"""The second step of signing in to the admin: a code of the app, a recovery code, or a passkey."""

import json
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
from accounts.services.passkey_sign_in import Passkeys
from core.errors import ApplicationError, InvalidToken


class CodeForm(forms.Form):
    """A code, of whichever kind; or what the page's script has got from the authenticator."""

    credential = forms.CharField(required=False, max_length=100_000, widget=forms.HiddenInput)
    code = forms.CharField(
        label="Code",
        max_length=100,
        required=False,
        help_text="Of your authenticator app, or one of your recovery codes.",
        widget=forms.TextInput(
            {
                "autocomplete": "one-time-code",
                "autofocus": True,
                "required": True,
                "autocapitalize": "off",
                "spellcheck": "false",
                "class": " ".join(BASE_INPUT_CLASSES),
            }
        ),
    )

    def clean_credential(self) -> dict[str, Any] | None:
        """Return the credential, or None for anything that is no object."""
        try:
            given = json.loads(self.cleaned_data["credential"] or "null")
        except (ValueError, RecursionError):
            return None
        return given if isinstance(given, dict) else None

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if not self.errors and not values["credential"] and not values["code"]:
            self.add_error("code", "Give a code.")
        return values


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
            return _enter(request, form.cleaned_data["code"], form.cleaned_data["credential"])
        except InvalidToken as ended:
            return _begin_again(request, ended)
        except ApplicationError as error:
            refusal = error
            form.add_error(None, _told(error))
    passkey_options = mfa_sign_in.passkey_options_of(challenge_id=_challenge_id(request))
    shown = {**page, "title": "Second step", "form": form, "next": staff.next_page(request)}
    return staff.form_page(request, "admin/second_step.html", {**shown, "passkey_options": passkey_options}, refusal)


def _enter(request: HttpRequest, code: str, credential: dict[str, Any] | None) -> HttpResponse:
    staff.take_try()
    opened = mfa_sign_in.verify_second_factor_of(
        challenge_id=_challenge_id(request),
        method=Passkeys.name if credential else mfa_sign_in.method_of_code(code),
        given=credential or code,
        device_token=request.COOKIES.get(staff.DEVICE_COOKIE, ""),
    )
    del request.session[staff.CHALLENGE_KEY]
    return staff.let_in(request, opened)


def _challenge_id(request: HttpRequest) -> UUID:
    return UUID(request.session[staff.CHALLENGE_KEY])


def _begin_again(request: HttpRequest, ended: InvalidToken) -> HttpResponse:
    del request.session[staff.CHALLENGE_KEY]
    messages.error(request, ended.text)
    return HttpResponseRedirect(reverse("admin:login"))


def _told(error: ApplicationError) -> str:
    return "The code is wrong, or has served before." if error.status == 401 else staff.sentence(error)
