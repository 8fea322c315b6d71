"""Files that are two things at once, that lie, or that cost: nothing of them runs, and nothing of them costs much."""

import zlib
from pathlib import Path
from typing import Any

import pytest
import urllib3
from django.test import Client

from accounts.models import User
from core.tests import pictures
from core.tests.test_images import peak_growth
from resources.tests.test_uploads import complete, details
from resources.tests.uploads import PATH, ClientOf, announced, archive, send, upload, uploaded

MEBIBYTE = 1024 * 1024
SCRIPT = b"<script>alert(1)</script>"


def gif_and_script() -> bytes:
    """A GIF that is JavaScript, too: `GIF89a` is a name, its comment opens one of the script's."""
    picture = pictures.plain("GIF", (47, 42))
    return picture[:6] + b"/*" + picture[8:] + b"*/=1;alert(1)//"


def jpeg_and_page() -> bytes:
    """A JPEG whose comment is a page."""
    return pictures.plain("JPEG", (60, 40), comment=b"<html>" + SCRIPT)


def png_and_page() -> bytes:
    """A PNG with a page in a text chunk, and after its end."""
    return pictures.png(20, 20, pictures.chunk(b"tEXt", b"Comment\0<html>" + SCRIPT)) + SCRIPT


def pdf_and_archive() -> bytes:
    """A PDF that is a ZIP, too."""
    return b"%PDF-1.7\n1 0 obj<</S/JavaScript/JS(app.alert(1))>>\nendobj\n" + archive()


def page() -> bytes:
    return b"<!doctype html><html><body>" + SCRIPT


def drawing() -> bytes:
    return b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)">' + SCRIPT + b"</svg>"


HOSTILE = [gif_and_script, jpeg_and_page, png_and_page, pdf_and_archive, page, drawing]


def fetched(url: str) -> tuple[Any, bytes]:
    """Return the headers and the content at a link of ours or of S3."""
    if url.startswith("https://nook.example"):
        sent: Any = Client().get(url.removeprefix("https://nook.example"))
        return sent.headers, sent.getvalue()
    answer = urllib3.request("GET", url, retries=False)
    return answer.headers, answer.data


@pytest.mark.usefixtures("stored_files")
@pytest.mark.parametrize("made", HOSTILE, ids=lambda made: made.__name__)
def test_no_browser_runs_what_is_two_things_at_once(made: Any, owner: User, client_of: ClientOf, settings: Any) -> None:
    client, sent = client_of(owner), made()
    data = uploaded(client, sent, "innocent.bin")

    headers, content = fetched(client.get(f"{PATH}/{data['id']}/content").headers["Location"])

    assert content == sent
    assert headers["Content-Disposition"] == 'attachment; filename="innocent.bin"'
    assert headers["Content-Type"] in {"application/octet-stream", "image/gif", "image/jpeg", "image/png"}
    if not settings.S3_BUCKET:
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox"


@pytest.mark.parametrize("made", [jpeg_and_page, png_and_page], ids=lambda made: made.__name__)
def test_a_picture_of_it_has_lost_the_other_half(
    made: Any, owner: User, client_of: ClientOf, local_files: Path
) -> None:
    client = client_of(owner)
    data = uploaded(client, made(), "innocent.bin")

    for form in ("png", "jpeg", "webp"):
        answer = client.get(f"{PATH}/{data['id']}/image?format={form}")
        headers, content = fetched(answer.headers["Location"])

        assert headers["Content-Type"] == f"image/{form}"
        assert headers["Content-Disposition"] == f'attachment; filename="innocent.{form}"'
        assert b"script" not in content


@pytest.mark.parametrize(
    ("made", "name", "claimed", "code"),
    [
        (pdf_and_archive, "a.png", "image/png", "not_an_image"),
        (page, "a.gif", "text/plain", "not_an_image"),
        (page, "a.txt", "application/pdf", "wrong_type"),
        (drawing, "a.mp3", "audio/mpeg", "wrong_type"),
        (archive, "a.woff2", "font/woff2", "wrong_type"),
        (gif_and_script, "a.pdf", "application/pdf", "wrong_type"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_what_lies_about_its_type_is_refused_on_both_ways_in(
    made: Any, name: str, claimed: str, code: str, owner: User, client_of: ClientOf, local_files: Path
) -> None:
    client, content = client_of(owner), made()

    through = upload(client, content, name, content_type=claimed)
    way = announced(client, content, filename=name, content_type=claimed)
    send(way, content)
    past = complete(client, way["id"])

    assert details(through) == details(past) == (400, [("file", code)])


def bomb() -> bytes:
    """A PNG of 49 megapixels, all there, in some kilobytes."""
    return pictures.png(7000, 7000)


def unpacked_forever() -> bytes:
    """A PNG whose one row unpacks to 300 MiB."""
    rows = pictures.chunk(b"IDAT", zlib.compress(bytes(300 * MEBIBYTE), 9))
    return pictures.plain("PNG", (8, 8))[:33] + rows + pictures.chunk(b"IEND", b"")


def test_pictures_that_cost_cost_the_child(owner: User, client_of: ClientOf, local_files: Path) -> None:
    client = client_of(owner)
    uploaded(client, pictures.plain(), "a.png")
    raws = [pictures.png(9400, 9400), bomb(), unpacked_forever(), pictures.zlib_bomb()]
    answers: list[tuple[int, int]] = []

    def take_in_and_show() -> None:
        for raw in raws:
            taken = upload(client, raw, "a.png")
            shown = client.get(f"{PATH}/{taken.json()['data']['id']}/image?w=64") if taken.status_code == 201 else taken
            answers.append((taken.status_code, shown.status_code))

    growth = peak_growth(take_in_and_show)

    assert growth < 64 * MEBIBYTE
    assert answers[0] == (400, 400)
    assert answers[1] == (201, 302)
    assert all(taken == 201 and shown in {302, 400} for taken, shown in answers[2:])


def test_what_went_past_the_api_is_no_larger_a_picture(
    owner: User, client_of: ClientOf, local_files: Path, settings: Any
) -> None:
    client, content = client_of(owner), pictures.plain("PNG", (8, 8)) + bytes(65 * MEBIBYTE)
    way = announced(client, content, content_type="image/png")
    send(way, content)
    assert complete(client, way["id"]).status_code == 200

    answer = client.get(f"{PATH}/{way['id']}/image?w=64")

    assert details(answer) == (400, [("file", "too_large")])


def test_browser_code_of_a_listed_origin_may_fetch_by_a_link(
    owner: User, client_of: ClientOf, local_files: Path, settings: Any
) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example"]
    url = uploaded(client_of(owner))["url"].removeprefix("https://nook.example")

    answers = [Client().get(url, headers={"origin": f"https://{host}.example"}) for host in ("app", "evil")]

    allowed = [answer.headers.get("Access-Control-Allow-Origin") for answer in answers]
    for answer in answers:
        answer.close()
    assert allowed == ["https://app.example", None]
