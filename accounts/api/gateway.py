"""`GET /auth/verify`: what a gateway asks before it lets a request through to another service."""

from urllib.parse import quote

from django.http import HttpResponse
from rest_framework.request import Request

from core.api.access import SIGNED_IN
from core.api.envelope import no_content
from core.api.operations import operation
from core.api.views import ApiView

_READABLE = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")


class Verify(ApiView):
    access = {"GET": SIGNED_IN}

    @operation(
        "Verify an access token, for a gateway",
        description=(
            "204 with `X-User-Id` and `X-User-Role` for a token that serves, else what any operation answers: 401, or "
            "403 for who has to enrol a second factor first. Characters of a role's name that a header cannot carry "
            "are percent-encoded. `Accept` is not looked at, since gateways pass on that of the request they guard."
        ),
        status=204,
    )
    def get(self, request: Request) -> HttpResponse:
        role = quote(self.caller.role, safe=_READABLE)
        return no_content(headers={"X-User-Id": str(self.caller.own_id), "X-User-Role": role})

    def _refuse_other_formats(self, request: Request) -> None:
        """Let every `Accept` pass: it speaks of the answer of the service behind the gateway."""
