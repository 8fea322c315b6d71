"""/profile/avatar, and the pictures that it leads to."""

from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client

from accounts.avatars import SIZES, new_key, stored_name
from accounts.models import User
from accounts.services.avatars import sweep_avatars
from accounts.tests.answers import NOT_AUTHENTICATED, ClientOf, error_of, invalid, refusal, tables
from accounts.tests.factories import access_token_of, create_session
from accounts.tests.test_races import at_once
from core.tests import pictures
from core.tests.pictures import decoded
from core.tests.spine import Drain, Events

PATH = "/api/v1/profile/avatar"
TYPE = "multipart/form-data; boundary=b"
MEBIBYTE = 1024 * 1024
NOT_AN_IMAGE = ("not_an_image", "Send a picture of these formats: JPEG, PNG, WEBP.")
NOT_A_FILE = "The submitted data was not a file. Check the encoding type on the form."


def part(content: bytes, name: str = "file", filename: str = "me.png", *headers: str) -> bytes:
    disposition = f'Content-Disposition: form-data; name="{name}"' + (f'; filename="{filename}"' if filename else "")
    head = "\r\n".join([disposition, *headers]).encode()
    return b"--b\r\n" + head + b"\r\n\r\n" + content + b"\r\n"


def body(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--b--\r\n"


def upload(client: Client, picture: bytes, **extra: Any) -> Any:
    return client.generic("POST", PATH, body(part(picture)), TYPE, **extra)


def stored() -> list[str]:
    folders = default_storage.listdir("avatars")[0] if default_storage.exists("avatars") else []
    return sorted(name for folder in folders for name in default_storage.listdir(f"avatars/{folder}")[1])


def path_of(url: str) -> str:
    start = "https://nook.example"
    assert url.startswith(f"{start}/avatars/")
    return url.removeprefix(start)


@pytest.mark.usefixtures("stored_files", "db")
def test_a_picture_is_shown_in_three_sizes(owner: User, client_of: ClientOf, anonymous: Client, events: Events) -> None:
    answer = upload(client_of(owner), pictures.with_metadata("JPEG"))

    data = answer.json()["data"]
    assert (answer.status_code, answer.headers["ETag"]) == (200, '"2"')
    assert list(data["avatar_sizes"]) == ["64", "192", "512"]
    assert data["avatar"] == data["avatar_sizes"]["192"]
    for size, url in data["avatar_sizes"].items():
        shown = anonymous.get(path_of(url))
        assert (shown.status_code, shown["Content-Type"]) == (200, "image/webp")
        assert decoded(shown.content).size == (min(int(size), 300),) * 2
        assert b"SECRET" not in shown.content
    assert events("user.avatar_changed")[0].payload == {"before": {"avatar": False}, "after": {"avatar": True}}


def test_a_picture_may_be_cached_but_not_run(
    owner: User, client_of: ClientOf, anonymous: Client, local_files: Path
) -> None:
    url = upload(client_of(owner), pictures.plain()).json()["data"]["avatar"]

    shown = anonymous.get(path_of(url))

    assert shown["Cache-Control"] == "public, max-age=86400, immutable"
    assert shown["X-Content-Type-Options"] == "nosniff"
    assert shown["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert shown["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "Set-Cookie" not in shown


def test_every_shape_of_the_user_has_it(
    owner: User, stranger: User, admin: User, client_of: ClientOf, local_files: Path
) -> None:
    mine, theirs, staff = client_of(owner), client_of(stranger), client_of(admin)
    url = upload(mine, pictures.plain()).json()["data"]["avatar"]
    made = mine.post("/api/v1/resources", {"name": "A"}, "application/json").json()["data"]["id"]

    shapes = {
        "profile": mine.get("/api/v1/profile").json()["data"],
        "me": mine.get("/api/v1/users/me").json()["data"],
        "public": theirs.get(f"/api/v1/users/{owner.pk}").json()["data"],
        "user": staff.get(f"/api/v1/users/{owner.pk}").json()["data"],
        "in a list": staff.get(f"/api/v1/users?email={owner.email}").json()["data"][0],
        "owner": mine.get(f"/api/v1/resources/{made}?include=owner").json()["data"]["owner"],
    }

    assert {name: shape["avatar"] for name, shape in shapes.items()} == dict.fromkeys(shapes, url)
    assert theirs.get("/api/v1/profile").json()["data"]["avatar"] is None


def test_a_new_picture_takes_the_place_of_the_old_one(
    owner: User, client_of: ClientOf, anonymous: Client, drain: Drain, local_files: Path
) -> None:
    client = client_of(owner)
    old = upload(client, pictures.plain()).json()["data"]["avatar"]
    new = upload(client, pictures.plain(colour=pictures.BLUE)).json()["data"]["avatar"]
    drain()

    assert old != new
    assert [anonymous.get(path_of(url)).status_code for url in (old, new)] == [404, 200]
    assert len(stored()) == 3


@pytest.mark.usefixtures("stored_files", "db")
def test_it_is_taken_away(owner: User, client_of: ClientOf, anonymous: Client, drain: Drain) -> None:
    client = client_of(owner)
    url = upload(client, pictures.plain()).json()["data"]["avatar"]

    removed, again = client.delete(PATH), client.delete(PATH)
    drain()

    assert (removed.status_code, removed.content, again.status_code) == (204, b"", 204)
    assert client.get("/api/v1/profile").json()["data"]["avatar_sizes"] is None
    assert anonymous.get(path_of(url)).status_code == 404


def test_another_version_is_not_taken_away(owner: User, client_of: ClientOf, local_files: Path) -> None:
    client = client_of(owner)
    upload(client, pictures.plain())
    before = tables()

    answer = client.delete(PATH, headers={"If-Match": '"1"'})

    assert answer.status_code == 412
    assert tables() == before


@pytest.mark.parametrize(
    ("picture", "detail"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", NOT_AN_IMAGE),
        (pictures.animation("GIF"), NOT_AN_IMAGE),
        (pictures.png(9400, 9400), ("too_many_pixels", "Send a picture of at most 25 megapixels.")),
        (pictures.plain()[:-60], ("broken_image", "This picture is damaged, or takes too much to read.")),
        (b"", ("empty", "The submitted file is empty.")),
    ],
    ids=["SVG", "GIF", "88 megapixels", "cut", "empty"],
)
def test_what_is_no_such_picture_changes_nothing(
    owner: User, client_of: ClientOf, local_files: Path, picture: bytes, detail: tuple[str, str]
) -> None:
    client = client_of(owner)
    before = tables()

    answer = upload(client, picture)

    assert error_of(answer) == invalid(("file", *detail))
    assert (tables(), stored()) == (before, [])


def test_five_mebibytes_are_taken_and_not_one_byte_more(owner: User, client_of: ClientOf, local_files: Path) -> None:
    client = client_of(owner)
    picture = pictures.plain() + bytes(5 * MEBIBYTE)

    most, too_many = upload(client, picture[: 5 * MEBIBYTE]), upload(client, picture[: 5 * MEBIBYTE + 1])
    far_too_many = upload(client, picture + bytes(MEBIBYTE))

    assert most.status_code == 200
    assert error_of(too_many) == refusal(413, "PAYLOAD_TOO_LARGE", "The request is too large.")
    assert far_too_many.status_code == 413


@pytest.mark.parametrize(("size", "status"), [(100_000, 200), (6 * MEBIBYTE, 413)])
def test_a_body_in_chunks_is_counted_as_it_comes(
    owner: User, client_of: ClientOf, local_files: Path, size: int, status: int
) -> None:
    raw = body(part(pictures.plain() + bytes(size)))
    chunks = {"wsgi.input": BytesIO(raw), "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}

    answer = client_of(owner).generic("POST", PATH, **{**chunks, "CONTENT_TYPE": TYPE})  # type: ignore[arg-type]  # an environment

    assert answer.status_code == status


GOOD = part(pictures.plain())
MALFORMED: dict[str, tuple[bytes, str]] = {
    "no boundary": (body(GOOD), "multipart/form-data"),
    "an empty boundary": (body(GOOD), "multipart/form-data; boundary="),
    "a long boundary": (body(GOOD), f"multipart/form-data; boundary={'b' * 71}"),
    "a boundary with a line": (body(GOOD), 'multipart/form-data; boundary="b\\\r\nc"'),
    "another boundary": (body(GOOD), "multipart/form-data; boundary=c"),
    "no end": (GOOD, TYPE),
    "a preamble": (b"hello\r\n" + body(GOOD), TYPE),
    "an epilogue": (body(GOOD) + b"<script>", TYPE),
    "no part": (b"--b--\r\n", TYPE),
    "lines that end in LF": (body(GOOD).replace(b"\r\n", b"\n"), TYPE),
    "the same part twice": (body(GOOD, GOOD), TYPE),
    "a hundred parts": (body(*(part(b"", f"part{number}") for number in range(100))), TYPE),
    "base64": (body(part(b"AAAA", "file", "me.png", "Content-Transfer-Encoding: base64")), TYPE),
    "quoted-printable": (body(part(b"=00", "file", "me.png", "Content-Transfer-Encoding: quoted-printable")), TYPE),
    "endless headers": (body(part(b"", "file", "me.png", *(f"X-{number}: {'x' * 90}" for number in range(60)))), TYPE),
    "one endless header": (b"--b\r\nContent-Disposition: form-data" + b"; a=b" * 200_000, TYPE),
    "a header twice": (body(part(b"", "file", "me.png", "Content-Disposition: form-data; name=other")), TYPE),
    "a header without a colon": (body(part(b"", "file", "me.png", "nonsense")), TYPE),
    "a header that goes on": (body(part(b"", "file", "me.png", " continued: x")), TYPE),
    "headers that are not UTF-8": (b"--b\r\nContent-Disposition: form-data; name=\xff\r\n\r\n\r\n--b--\r\n", TYPE),
    "no name": (b"--b\r\nContent-Disposition: form-data; filename=a\r\n\r\n\r\n--b--\r\n", TYPE),
    "no disposition": (b"--b\r\nContent-Type: image/png\r\n\r\n\r\n--b--\r\n", TYPE),
    "an attachment": (b"--b\r\nContent-Disposition: attachment; name=file; filename=a\r\n\r\n\r\n--b--\r\n", TYPE),
    "a name in no character set": (
        b"--b\r\nContent-Disposition: form-data; name=file; filename*=nothing''a\r\n\r\n\r\n--b--\r\n",
        TYPE,
    ),
    "a NUL": (body(part(b"a\0b", "other", "")), TYPE),
    "bytes as text": (body(part(b"\xff", "other", "")), TYPE),
    "nothing": (b"", TYPE),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_body_is_refused(owner: User, client_of: ClientOf, local_files: Path, name: str) -> None:
    client = client_of(owner)
    before = tables()

    answer = client.generic("POST", PATH, *MALFORMED[name])

    expected = "VALIDATION_ERROR" if name == "nothing" else "PARSE_ERROR"
    assert (answer.status_code, error_of(answer)["code"]) == (400, expected)
    assert (tables(), stored()) == (before, [])


@pytest.mark.parametrize(
    ("parts", "detail"),
    [
        ([part(b"x", "picture")], ("picture", "unknown_field", "There is no such field.")),
        ([GOOD, part(b"x", "note", "")], ("note", "unknown_field", "There is no such field.")),
        ([part(b"x", "file", "")], ("file", "invalid", NOT_A_FILE)),
    ],
)
def test_one_file_is_taken_and_nothing_else(
    owner: User, client_of: ClientOf, local_files: Path, parts: list[bytes], detail: tuple[str, str, str]
) -> None:
    client = client_of(owner)
    before = tables()

    answer = client.generic("POST", PATH, body(*parts), TYPE)

    details = error_of(answer)["details"]
    assert {"field": detail[0], "code": detail[1], "message": detail[2]} in details
    assert (answer.status_code, tables(), stored()) == (400, before, [])


@pytest.mark.parametrize(
    "name", ["../me.png", "/etc/passwd", "C:\\me.png", "..", " ", "me\u202egnp.exe", "me\u200b.png", "me\tx", "x" * 256]
)
def test_a_name_that_is_a_path_or_a_lie_is_refused(
    owner: User, client_of: ClientOf, local_files: Path, name: str
) -> None:
    answer = client_of(owner).generic("POST", PATH, body(part(pictures.plain(), "file", name)), TYPE)

    message = "Give the file a name without path, control and invisible characters."
    assert error_of(answer) == invalid(("file", "unsafe_name", message))


@pytest.mark.parametrize("name", ["Ünïcode 😀.png", "a b (1).png", "none"])
def test_any_other_name_is_fine(owner: User, client_of: ClientOf, local_files: Path, name: str) -> None:
    assert client_of(owner).generic("POST", PATH, body(part(pictures.plain(), "file", name)), TYPE).status_code == 200


def test_another_type_of_body_is_415(owner: User, client_of: ClientOf) -> None:
    answer = client_of(owner).post(PATH, {"file": "x"}, "application/json")

    assert (answer.status_code, error_of(answer)["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_the_same_key_is_one_upload(owner: User, client_of: ClientOf, local_files: Path) -> None:
    client = client_of(owner)

    first, second = (upload(client, pictures.plain(), headers={"Idempotency-Key": "once"}) for _ in range(2))

    assert (second["Idempotency-Replayed"], second.content) == ("true", first.content)
    assert len(stored()) == 3


def test_uploads_have_a_bucket_of_their_own(owner: User, client_of: ClientOf, local_files: Path) -> None:
    assert upload(client_of(owner), pictures.plain())["RateLimit-Limit"] == "60"


@pytest.mark.django_db(transaction=True)
def test_of_two_uploads_at_once_the_last_one_wins_and_leaves_nothing(
    owner: User, drain: Drain, local_files: Path
) -> None:
    token = access_token_of(create_session(owner))
    raw = pictures.plain()

    answers = at_once(4, lambda index: upload(Client(headers={"Authorization": f"Bearer {token}"}), raw))
    drain()

    assert [answer.status_code for answer in answers] == [200] * 4
    key = User.objects.get().avatar
    assert stored() == sorted(f"{key}-{size}.webp" for size in SIZES)


def test_what_an_upload_left_behind_is_swept_after_a_day(
    owner: User, client_of: ClientOf, local_files: Path, set_age: Callable[[timedelta], None]
) -> None:
    upload(client_of(owner), pictures.plain())
    kept = stored()
    orphan = new_key()
    for size in SIZES:
        default_storage.save(stored_name(orphan, size), ContentFile(b"orphan"))
    default_storage.save("avatars/aa/README", ContentFile(b"not ours to remove"))

    too_early = sweep_avatars()
    set_age(timedelta(days=2))
    in_time = sweep_avatars()

    assert (too_early, in_time) == (0, 3)
    assert stored() == sorted([*kept, "README"])


def test_nothing_is_swept_where_nothing_is(db: None, local_files: Path) -> None:
    assert sweep_avatars() == 0


@pytest.mark.parametrize("path", ["aa-192.webp", f"{'a' * 40}-193.webp", f"{'a' * 40}-192.webp", f"{'a' * 40}-192.png"])
def test_no_other_address_leads_to_a_picture(anonymous: Client, local_files: Path, path: str) -> None:
    assert anonymous.get(f"/avatars/{path}").status_code == 404


def test_while_storage_is_away_a_picture_cannot_be_kept_or_shown(
    owner: User, client_of: ClientOf, anonymous: Client, no_storage: None
) -> None:
    client = client_of(owner)
    before = tables()

    answer, shown = upload(client, pictures.plain()), anonymous.get(f"/avatars/{'a' * 40}-192.webp")

    assert error_of(answer)["code"] == "SERVICE_UNAVAILABLE"
    assert (answer.status_code, answer["Retry-After"], shown.status_code) == (503, "5", 503)
    assert tables() == before


def test_staff_see_it_and_take_it_away(
    owner: User,
    admin: User,
    client_of: ClientOf,
    browser_of: Callable[[User], Client],
    local_files: Path,
    events: Events,
) -> None:
    upload(client_of(owner), pictures.plain())
    browser = browser_of(admin)
    page = f"/admin/accounts/user/{owner.pk}/change/"

    before = browser.get(page).content.decode()
    key = User.objects.get(pk=owner.pk).avatar
    data = {"action": "remove_avatar", "_selected_action": str(owner.pk)}
    told = browser.post("/admin/accounts/user/", data, follow=True).content.decode()

    assert f'src="/avatars/{key}-192.webp"' in before
    assert "/avatars/" not in browser.get(page).content.decode()
    assert "Avatars of 1 users removed." in told
    assert User.objects.get(pk=owner.pk).avatar is None
    assert [event.payload["after"] for event in events("user.avatar_changed")] == [{"avatar": True}, {"avatar": False}]


def test_it_is_for_those_who_are_signed_in(db: None, anonymous: Client) -> None:
    assert [error_of(upload(anonymous, pictures.plain())), error_of(anonymous.delete(PATH))] == [NOT_AUTHENTICATED] * 2
