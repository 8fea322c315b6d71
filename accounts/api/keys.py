"""`/.well-known/jwks.json`: the public keys by which any service can check an access token alone."""

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from accounts.signing_keys import published_keys


@require_safe
def jwks(request: HttpRequest) -> JsonResponse:
    """Return the key set (RFC 7517), without an envelope: other programs read it."""
    return JsonResponse({"keys": published_keys()}, headers={"Cache-Control": "public, max-age=300"})
