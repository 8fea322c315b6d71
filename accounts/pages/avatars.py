"""`/avatars/<key>-<size>.webp`: a picture, to whoever was told its address."""

from typing import Final

from django.core.files.storage import default_storage
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from accounts.avatars import SIZES, is_key, stored_name
from core.errors import ServiceUnavailable

_HEADERS: Final = {
    # A day, so that a picture that was taken back is gone from the caches by tomorrow; it never changes meanwhile.
    "Cache-Control": "public, max-age=86400, immutable",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",
}


@require_safe
def avatar(request: HttpRequest, key: str, size: str) -> HttpResponse:
    """Answer one size of an avatar; 404 when there is none of this name."""
    if not is_key(key) or int(size) not in SIZES:
        return _plain("There is no such picture.", status=404)
    try:
        with default_storage.open(stored_name(key, size)) as file:
            content = file.read()
    except FileNotFoundError:
        return _plain("There is no such picture.", status=404)
    except ServiceUnavailable as error:
        return _plain(error.text, status=503)
    return HttpResponse(content, content_type="image/webp", headers=_HEADERS)


def _plain(text: str, *, status: int) -> HttpResponse:
    headers = {"Cache-Control": "no-store"}
    return HttpResponse(f"{text}\n", status=status, content_type="text/plain", headers=headers)
