"""What a signed link to a local file answers."""

from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.http import require_safe

from core.errors import NotFound
from core.storage import open_link


@require_safe
def signed_file(request: HttpRequest, token: str) -> HttpResponseBase:
    """Send the file as a download: never shown in the browser, whatever is in it."""
    try:
        link, file = open_link(token)
    except NotFound:
        return HttpResponse("This link has expired.\n", status=404, content_type="text/plain")
    response = FileResponse(file, as_attachment=True, filename=link.filename, content_type=link.content_type)
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["Cache-Control"] = "private, max-age=300" if link.may_be_cached else "no-store"
    return response
