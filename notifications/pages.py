"""Where the link at the end of a mail lands. Opening the page changes nothing, because scanners open links; the
button does, and so does the button of the mail program itself (RFC 8058)."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from core.errors import NotFound
from notifications.kinds import kind_of
from notifications.services.preferences import subscription_behind, unsubscribe


# No form of ours can be forged here: whoever sends it must have the token, and then needs no form of ours.
@method_decorator([never_cache, csrf_exempt], name="dispatch")
class UnsubscribePage(View):
    """`/unsubscribe/<token>`"""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        try:
            kind = kind_of(subscription_behind(token).kind)
        except NotFound:
            return self._outcome(404, "This link is not complete", "Open the link from the mail, or copy all of it.")
        page = {"title": "No more mails of this kind?", "kind": kind, "site_name": settings.SITE_NAME}
        return render(request, "pages/unsubscribe.html", page)

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        try:
            kind = kind_of(unsubscribe(token=token).kind)
        except NotFound:
            return self._outcome(404, "This link is not complete", "Open the link from the mail, or copy all of it.")
        return self._outcome(200, "Done", f"You get no more mails of the kind “{kind.title}”.")

    def _outcome(self, status: int, title: str, text: str) -> HttpResponse:
        page = {"title": title, "text": text, "good": status == 200, "site_name": settings.SITE_NAME}
        return render(self.request, "pages/outcome.html", page, status=status)
