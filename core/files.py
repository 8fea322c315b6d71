"""What a signed link to a local file answers."""

import hashlib

from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from core.errors import NotFound
from core.storage import Link, open_link


@require_safe
def signed_file(request: HttpRequest, token: str) -> HttpResponseBase:
    """Send the file as a download: never shown in the browser, whatever is in it."""
    try:
        link, file = open_link(token)
    except NotFound:
        return HttpResponse("This link has expired.\n", status=404, content_type="text/plain")
    response: HttpResponseBase = FileResponse(
        file, as_attachment=True, filename=link.filename, content_type=link.content_type
    )
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    if not link.may_be_cached:
        response.headers["Cache-Control"] = "no-store"
        return response
    response.headers["Cache-Control"] = "private, max-age=300"
    response.headers["ETag"] = _etag(link)
    found: HttpResponseBase = get_conditional_response(request, etag=_etag(link), response=response)  # type: ignore[arg-type, assignment]  # the stubs know no answer that streams
    if found is not response:
        response.close()
    return found


def _etag(link: Link) -> str:
    """Return what tells this content from others: what is stored under a name never changes."""
    return f'"{hashlib.sha256(link.name.encode()).hexdigest()[:32]}"'
