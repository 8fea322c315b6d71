"""Where shared links land. Looking at the page opens nothing and counts nothing; the button does."""

from typing import Any

import orjson
from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.pages.links import LinkPage, TokenForm
from core.errors import NotFound
from core.permissions import ANONYMOUS
from resources.keywords.reading import readable_data
from resources.models import Resource
from resources.services.links import needs_password, open_link


class OpenForm(TokenForm):
    """The button of a link without a password."""


class PasswordForm(TokenForm):
    """The password of a link."""

    password = forms.CharField(
        label="Password", max_length=128, strip=False, widget=forms.PasswordInput({"autocomplete": "off"})
    )


class SharedPage(LinkPage):
    """`/shared?token=…`"""

    title = "Something was shared with you"
    question = "Whoever has this link may look at it."
    button = "Open"

    _shown: Resource

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._asked(request.GET.get("token", "")) or super().get(request)

    def post(self, request: HttpRequest) -> HttpResponse:
        return self._asked(request.POST.get("token", "")) or super().post(request)

    def serve(self, values: dict[str, Any]) -> None:
        resource_id = open_link(actor=ANONYMOUS, token=values["token"], password=values.get("password"))
        found = Resource.objects.select_related("owner", "type").filter(id=resource_id).first()
        if found is None:
            raise NotFound
        self._shown = found

    def _asked(self, token: str) -> HttpResponse | None:
        """Choose the form that the link needs; return the answer where there is nothing to ask for."""
        if not token:
            return None
        try:
            self.form_class = PasswordForm if needs_password(token=token) else OpenForm  # type: ignore[misc]  # of this request
        except NotFound as refusal:
            return self._outcome(refusal.status, "This link does not open", "It was taken back, or its time is over.")
        return None

    def _finish(self) -> HttpResponse:
        data = readable_data(ANONYMOUS, self._shown)
        pretty = orjson.dumps(data, option=orjson.OPT_INDENT_2).decode() if data else ""
        page = {"title": self._shown.name, "shown": self._shown, "data": pretty, "site_name": settings.SITE_NAME}
        return render(self.request, "pages/shared.html", page)
