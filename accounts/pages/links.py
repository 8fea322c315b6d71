"""Where mailed links land. Opening a page changes nothing, because mail scanners open links; the button does."""

from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters

from accounts.services import addresses, data_export, own_account, passwords, registration
from core import context
from core.addresses import limit_identity
from core.errors import ApplicationError, RateLimited
from core.ratelimit import take


class TokenForm(forms.Form):
    """The secret of the link, carried from the address into the form."""

    token = forms.CharField(max_length=200, widget=forms.HiddenInput)


class NewPasswordForm(TokenForm):
    """A new password, twice, so that a slip of the finger locks nobody out."""

    password = forms.CharField(
        label="New password",
        max_length=128,
        strip=False,
        help_text="10 characters or more.",
        widget=forms.PasswordInput({"autocomplete": "new-password", "autofocus": True}),
    )
    repeated = forms.CharField(
        label="The same again",
        max_length=128,
        strip=False,
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
    )

    def clean_repeated(self) -> str:
        repeated = str(self.cleaned_data["repeated"])
        if repeated != self.cleaned_data.get("password", repeated):
            raise forms.ValidationError("The two passwords differ.", code="different")
        return repeated


# The referrer policy stays the edge's `same-origin`, which keeps the secret in the address from every other
# site: under `no-referrer` browsers send `Origin: null` with the form, which no CSRF check can let pass.
@method_decorator([never_cache, csrf_protect, sensitive_post_parameters()], name="dispatch")
class LinkPage(View):
    """A page with one form; subclasses say what is asked, and call the service."""

    form_class: ClassVar[type[TokenForm]] = TokenForm
    title: ClassVar[str]
    question: ClassVar[str]
    button: ClassVar[str]
    done: ClassVar[tuple[str, str]]

    def serve(self, values: dict[str, Any]) -> None:
        """Do what the link is for."""
        raise NotImplementedError

    def get(self, request: HttpRequest) -> HttpResponse:
        token = request.GET.get("token", "")
        if not token:
            return self._outcome(400, "This link is not complete", "Open the link from the mail, or copy all of it.")
        return self._ask(self.form_class(initial={"token": token}))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = self.form_class(request.POST)
        if not form.is_valid():
            return self._ask(form, status=400)
        try:
            self._refuse_haste()
            self.serve(form.cleaned_data)
        except ApplicationError as refusal:
            return self._refused(form, refusal)
        return self._finish()

    def _finish(self) -> HttpResponse:
        """Say that it is done."""
        return self._outcome(200, *self.done)

    def _refuse_haste(self) -> None:
        verdict = take("auth", limit_identity(context.current().ip))
        if not verdict.allowed:
            raise RateLimited(retry_after=verdict.retry_after)

    def _refused(self, form: TokenForm, refusal: ApplicationError) -> HttpResponse:
        """Say what is wrong with a field beside it; show anything else, the link first of all, as the outcome."""
        about_fields = [detail for detail in refusal.details if detail.field in form.fields and detail.field != "token"]
        for detail in about_fields:
            form.add_error(detail.field, detail.message)
        if about_fields:
            return self._ask(form, status=refusal.status)
        text = " ".join(detail.message for detail in refusal.details) or refusal.text
        response = self._outcome(refusal.status, "This did not work", text)
        for name, value in refusal.headers.items():
            response.headers[name] = value
        return response

    def _ask(self, form: TokenForm, *, status: int = 200) -> HttpResponse:
        page = {"form": form, "title": self.title, "question": self.question, "button": self.button}
        return render(self.request, "pages/link.html", {**page, "site_name": settings.SITE_NAME}, status=status)

    def _outcome(self, status: int, title: str, text: str) -> HttpResponse:
        page = {"title": title, "text": text, "good": status == 200, "site_name": settings.SITE_NAME}
        return render(self.request, "pages/outcome.html", page, status=status)


class VerifyEmailPage(LinkPage):
    """`/verify-email?token=…`"""

    title = "Confirm your e-mail address"
    question = "One click, and your account is ready."
    button = "Confirm address"
    done = ("Your address is confirmed", "You can close this page and sign in.")

    def serve(self, values: dict[str, Any]) -> None:
        registration.verify_email(token=values["token"])


class ResetPasswordPage(LinkPage):
    """`/reset-password?token=…`"""

    form_class = NewPasswordForm
    title = "Choose a new password"
    question = "Every session of your account ends when it is set."
    button = "Set password"
    done = ("Your password is set", "Every session was ended. You can close this page and sign in.")

    def serve(self, values: dict[str, Any]) -> None:
        passwords.reset_password(token=values["token"], password=values["password"])


class AcceptInvitationPage(ResetPasswordPage):
    """`/accept-invitation?token=…`"""

    title = "Welcome: choose a password"
    question = "Your account is ready when it is set. The password is for you alone."
    button = "Set password"
    done = ("Your account is ready", "You can close this page and sign in with your e-mail address.")


class RestoreAccountPage(LinkPage):
    """`/restore-account?token=…`"""

    title = "Keep your account"
    question = "Your account is about to be erased. One click, and it stays."
    button = "Keep my account"
    done = ("Your account is back", "You can close this page and sign in as before.")

    def serve(self, values: dict[str, Any]) -> None:
        own_account.restore_own_account(token=values["token"])


class ChangeEmailPage(LinkPage):
    """`/change-email?token=…`"""

    title = "Use this e-mail address"
    question = "Your account will use the address that this link was sent to."
    button = "Use this address"
    done = ("Your address is changed", "From now on, sign in with the new address.")

    def serve(self, values: dict[str, Any]) -> None:
        addresses.confirm_email_change(token=values["token"])


class DataExportPage(LinkPage):
    """`/data-export?token=…`: serves as often as the owner likes, for as long as the file is there."""

    title = "Fetch your data"
    question = "A ZIP with everything that is held about you. Keep it where nobody else can read it."
    button = "Fetch it"

    _address: str

    def serve(self, values: dict[str, Any]) -> None:
        self._address = data_export.fetch_export(token=values["token"])

    def _finish(self) -> HttpResponse:
        page = {
            "title": "Your data",
            "text": "The link below serves for five minutes; for another, open the one in your mail again.",
            "address": self._address,
            "label": "Download",
        }
        return render(self.request, "pages/download.html", {**page, "site_name": settings.SITE_NAME})
