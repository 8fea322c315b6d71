"""`/files/{id}/image`: the picture in a file, in the size that a client shows it in."""

from typing import Any, Final
from uuid import UUID

from django.http import HttpResponse, HttpResponseRedirect
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request

from core.api.access import PUBLIC
from core.api.operations import operation
from core.api.query import Query, parse_query
from core.api.views import ApiView
from core.errors import Conflict, NotFound
from resources.pictures import EDGES, FITS, FORMATS, PRESETS, QUALITIES, Picture, picture
from resources.services.pictures import picture_link

_KEPT_FOR: Final = 240
"""How many seconds a browser may go by the redirect: less than its link serves."""


def _one_of(offered: tuple[int, ...], text: str) -> serializers.Field[Any, Any, Any, Any]:
    messages = {"not_offered": f"Choose one of {', '.join(map(str, offered))}."}
    return _OfferedField(offered=offered, required=False, help_text=text, error_messages=messages)


class _OfferedField(serializers.IntegerField):
    """A number out of a few."""

    def __init__(self, *, offered: tuple[int, ...], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.offered = offered

    def to_internal_value(self, data: Any) -> int:
        value = int(super().to_internal_value(data))
        if value not in self.offered:
            self.fail("not_offered")
        return value


class PictureQuery(Query):
    """In which form the picture is wanted."""

    w = _one_of(EDGES, f"Width in pixels: one of {', '.join(map(str, EDGES))}.")
    h = _one_of(EDGES, "Height in pixels, likewise; without one of the two it follows from the other.")
    fit = serializers.ChoiceField(
        choices=FITS, required=False, help_text="`cover` (the default) cuts to the shape, `contain` keeps all of it."
    )
    preset = serializers.ChoiceField(
        choices=tuple(PRESETS), required=False, help_text="In place of `w`, `h` and `fit`."
    )
    format = serializers.ChoiceField(choices=FORMATS, default="webp")
    q = _one_of(QUALITIES, "Quality, 10 to 100 in steps of 5; 80 unless said, and nothing to PNG.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "preset" in attrs and {"w", "h", "fit"} & attrs.keys():
            raise ValidationError({"preset": [ErrorDetail("Give preset, or w, h and fit.", code="conflict")]})
        return attrs


class FileImage(ApiView):
    """The picture in a file."""

    access = {"GET": PUBLIC}
    token_scopes = {"GET": "read:resource"}
    reads_replicas = False

    @operation(
        "Fetch a picture in another size",
        description=(
            "Leads to a signed link to the picture, for whoever may read the file; never larger than it is, upright, "
            "without metadata. Made when it is first asked for (JPEG, PNG, WebP, GIF and AVIF files to 64 MiB), which "
            "is limited to 60 at once and one a second per caller. 409 while the file is not ready; 400 "
            "`not_an_image`, `too_large`, `broken_image`, `too_many_pixels`, remembered for an hour."
        ),
        query=PictureQuery,
        status=302,
        errors=(NotFound, Conflict),
    )
    def get(self, request: Request, file_id: UUID) -> HttpResponse:
        wanted = _wanted(parse_query(PictureQuery, request))
        response = HttpResponseRedirect(picture_link(self.caller, file_id, wanted))
        response.headers["Cache-Control"] = f"private, max-age={_KEPT_FOR}"
        return response


def _wanted(query: dict[str, Any]) -> Picture:
    width, height, fit = query.get("w"), query.get("h"), query.get("fit")
    if "preset" in query:
        width, height, fit = PRESETS[query["preset"]]
    return picture(width=width, height=height, fit=fit, format=query["format"], quality=query.get("q", 80))
