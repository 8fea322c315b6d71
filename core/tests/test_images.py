"""Pictures are made anew in a child, and nothing that anybody sends hurts this process."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from core import image_child, images
from core.errors import ServiceUnavailable, ValidationFailed
from core.images import Variant, Variants, make_variants
from core.tests import pictures
from core.tests.pictures import BLUE, GREEN, RED, decoded
from core.tests.test_outages import eventually

SQUARE = (Variant("square", 64, 64),)
MEBIBYTE = 1024 * 1024


def refusal_of(raw: bytes, **options: object) -> str:
    with pytest.raises(ValidationFailed) as refused:
        make_variants(raw, SQUARE, **options)  # type: ignore[arg-type]  # as the test has them
    (detail,) = refused.value.details
    assert (detail.field, bool(detail.message)) == ("file", True)
    return detail.code


def is_nearly(colour: object, wanted: tuple[int, int, int]) -> bool:
    assert isinstance(colour, tuple)
    return all(abs(have - want) < 25 for have, want in zip(colour[:3], wanted, strict=True))


def peak_growth(act: Callable[[], object]) -> int:
    """Return by how many bytes the memory of this process grew at the most while `act` ran."""
    Path("/proc/self/clear_refs").write_text("5")
    before = memory("VmRSS")
    act()
    return memory("VmHWM") - before


def memory(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_picture_is_made_in_every_size_that_is_wanted(form: str) -> None:
    wanted = (
        Variant("cover", 64, 64),
        Variant("contain", 100, 100, fit="contain", format="jpeg"),
        Variant("wide", 120, 30, format="png"),
        Variant("modern", 40, 40, format="avif"),
    )

    made = make_variants(pictures.halves(form), wanted)

    assert (made.format, made.width, made.height) == (form.lower(), 400, 300)
    found = {name: (decoded(raw).format, decoded(raw).size) for name, raw in made.files.items()}
    assert found == {
        "cover": ("WEBP", (64, 64)),
        "contain": ("JPEG", (100, 75)),
        "wide": ("PNG", (120, 30)),
        "modern": ("AVIF", (40, 40)),
    }
    square = decoded(made.files["cover"]).convert("RGB")
    assert is_nearly(square.getpixel((8, 32)), RED)
    assert is_nearly(square.getpixel((56, 32)), BLUE)


def test_nothing_is_made_larger_than_it_was() -> None:
    wanted = (Variant("cover", 512, 512), Variant("contain", 512, 512, fit="contain"))

    made = make_variants(pictures.plain(size=(90, 60)), wanted)

    assert {name: decoded(raw).size for name, raw in made.files.items()} == {"cover": (60, 60), "contain": (90, 60)}


@pytest.mark.parametrize("size", [(1, 1), (20_000, 1), (1, 20_000)])
def test_an_odd_shape_is_no_fault(size: tuple[int, int]) -> None:
    wanted = (Variant("cover", 64, 64), Variant("contain", 64, 64, fit="contain"))

    made = make_variants(pictures.plain(size=size), wanted)

    assert all(min(decoded(raw).size) >= 1 for raw in made.files.values())


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("kind", ["webp", "jpeg", "png", "avif"])
def test_a_picture_stands_upright_and_says_nothing_about_its_maker(form: str, kind: images.Format) -> None:
    sent = pictures.with_metadata(form)
    assert b"SECRET" in sent

    made = make_variants(sent, [Variant("whole", 200, 200, fit="contain", format=kind)])

    raw = made.files["whole"]
    upright = decoded(raw).convert("RGB")
    assert (made.width, made.height, upright.size) == (300, 400, (150, 200))
    assert is_nearly(upright.getpixel((75, 20)), RED)
    assert is_nearly(upright.getpixel((75, 180)), BLUE)
    assert b"SECRET" not in raw
    assert {"exif", "icc_profile", "xmp", "comment"} & decoded(raw).info.keys() == set()


def test_transparency_is_kept_and_a_jpeg_gets_a_white_ground() -> None:
    clear = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    wanted = (Variant("clear", 50, 50), Variant("white", 50, 50, format="jpeg"))

    made = make_variants(pictures.encoded(clear, "PNG"), wanted)

    assert decoded(made.files["clear"]).convert("RGBA").getpixel((25, 25)) == (0, 0, 0, 0)
    assert decoded(made.files["white"]).getpixel((25, 25)) == (255, 255, 255)


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_of_an_animation_the_first_frame_is_taken(form: str) -> None:
    made = make_variants(pictures.animation(form), SQUARE)

    still = decoded(made.files["square"])
    assert getattr(still, "n_frames", 1) == 1
    assert is_nearly(still.convert("RGB").getpixel((30, 30)), GREEN)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "I;16", "CMYK"])
def test_every_mode_of_colour_is_read(mode: str) -> None:
    form = "JPEG" if mode == "CMYK" else "PNG"

    made = make_variants(pictures.encoded(Image.new(mode, (80, 80)), form), SQUARE)

    assert decoded(made.files["square"]).size == (64, 64)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_twenty_five_megapixels_fit_into_the_child_s_memory(form: str, mode: str) -> None:
    picture = Image.new("RGB" if form == "JPEG" else mode, (5000, 5000), BLUE)
    quickly = {"progressive": True} if form == "JPEG" else {"compress_level": 1, "method": 0, "lossless": True}

    made = make_variants(pictures.encoded(picture, form, **quickly), SQUARE)

    assert is_nearly(decoded(made.files["square"]).convert("RGB").getpixel((9, 9)), BLUE)


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_of_fifty_megapixels_the_largest_size_fits_into_it_too(form: str) -> None:
    raw = pictures.encoded(Image.new("RGB", (7050, 7050), BLUE), form, compress_level=1, method=0)
    largest = (Variant("largest", 2560, 2560, fit="contain"),)

    made = make_variants(raw, largest, most_pixels=50_000_000)

    assert decoded(made.files["largest"]).size == (2560, 2560)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "not_an_image"),
        (b"nothing of the kind", "not_an_image"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "not_an_image"),
        (b"<!doctype html><script>alert(1)</script>", "not_an_image"),
        (pictures.animation("GIF"), "not_an_image"),
        (pictures.plain("BMP"), "not_an_image"),
        (pictures.plain("TIFF"), "not_an_image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not_an_image"),
        (b"8BPS\0\1" + bytes(60), "not_an_image"),
        (pictures.halves("JPEG")[:-200], "broken_image"),
        (pictures.halves("PNG")[:-60], "broken_image"),
        (pictures.halves("WEBP")[:-60], "broken_image"),
    ],
    ids=["empty", "text", "SVG", "HTML", "GIF", "BMP", "TIFF", "EPS", "PSD", "cut JPEG", "cut PNG", "cut WebP"],
)
def test_what_is_no_whole_picture_of_these_formats_is_refused(raw: bytes, code: str) -> None:
    assert refusal_of(raw) == code


def test_the_formats_are_the_caller_s_to_name() -> None:
    assert refusal_of(pictures.plain("PNG"), formats=["jpeg"]) == "not_an_image"
    assert make_variants(pictures.animation("GIF"), SQUARE, formats=["gif"]).format == "gif"


def test_a_polyglot_is_only_its_picture_afterwards() -> None:
    sent = pictures.plain("PNG") + b"<script>alert(1)</script>PK\3\4"

    made = make_variants(sent, SQUARE)

    assert b"script" not in made.files["square"]
    assert b"PK\3\4" not in made.files["square"]


@pytest.mark.parametrize(
    ("bomb", "code"),
    [
        (lambda: pictures.png(9400, 9400), "too_many_pixels"),
        (lambda: pictures.png(65_000, 400), "too_many_pixels"),
        (lambda: pictures.plain("WEBP", (6000, 5000), method=0, lossless=True), "too_many_pixels"),
        (lambda: pictures.plain("JPEG", (6000, 5000)), "too_many_pixels"),
        (pictures.zlib_bomb, "broken_image"),
    ],
    ids=["88 megapixels", "a ribbon", "WebP", "JPEG", "a text that unpacks to 300 MiB"],
)
def test_a_bomb_is_refused_and_takes_no_memory_here(bomb: Callable[[], bytes], code: str) -> None:
    raw = bomb()
    assert refusal_of(pictures.plain()[:-60]) == "broken_image"  # what the first child costs is not the bomb's doing

    found: list[str] = []
    growth = peak_growth(lambda: found.append(refusal_of(raw)))

    assert found == [code]
    assert growth < 16 * MEBIBYTE


def test_a_child_has_none_of_our_secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SECRET_KEY", "the-secret")
    seen = tmp_path / "environment"
    spy = tmp_path / "spy.py"
    spy.write_text(f"import os\nopen({str(seen)!r}, 'w').write(repr(dict(os.environ)))\n")
    monkeypatch.setattr(image_child, "__file__", str(spy))

    assert refusal_of(pictures.plain()) == "broken_image"

    assert "the-secret" not in seen.read_text()
    assert "DATABASE_URL" not in seen.read_text()


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "null",
        "[1]",
        '{"error": "__class__"}',
        '{"format": "png", "width": 1, "height": 1, "sizes": [9999]}\nshort',
        '{"format": "png", "width": 1, "height": 1, "sizes": [1, 1]}\nab',
        '{"format": "png", "width": 1, "height": 1, "sizes": [-1]}\nab',
        '{"format": "png", "width": 1, "height": 1, "sizes": "a"}\na',
        '{"sizes": [1]}\na',
        '{"format": "png", "width": 1, "height": 1, "sizes": 7}\na',
        '{"error": []}',
    ],
)
def test_a_child_that_was_taken_over_is_not_believed(
    answer: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    liar = tmp_path / "liar.py"
    liar.write_text(f"import sys\nsys.stdout.write({answer!r})\n")
    monkeypatch.setattr(image_child, "__file__", str(liar))

    assert refusal_of(pictures.plain()) == "broken_image"


def test_a_child_cannot_take_more_than_its_share(tmp_path: Path) -> None:
    greedy = tmp_path / "greedy.py"
    greedy.write_text(
        "import resource, sys\n"
        f"sys.path.insert(0, {str(Path(image_child.__file__).parent)!r})\n"
        "import image_child\n"
        "image_child._limit(memory=200_000_000)\n"
        "for limit in (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE):\n"
        "    print(*resource.getrlimit(limit))\n"
        "try:\n"
        "    bytearray(300_000_000)\n"
        "except MemoryError:\n"
        "    print('refused')\n"
    )

    ran = subprocess.run([sys.executable, greedy], capture_output=True, text=True, check=True, env={})

    cpu, size = image_child.CPU_SECONDS, image_child.OUTPUT
    assert ran.stdout.split("\n")[:4] == ["200000000 200000000", f"{cpu} {cpu}", f"{size} {size}", "refused"]


def test_few_children_run_side_by_side_and_few_callers_wait(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    running = tmp_path / "running"
    running.mkdir()
    slow = tmp_path / "slow.py"
    go_on = tmp_path / "go_on"
    slow.write_text(
        f"import os, time\nopen({str(running)!r} + '/' + str(os.getpid()), 'w')\n"
        f"while not os.path.exists({str(go_on)!r}): time.sleep(0.02)\n"
    )
    monkeypatch.setattr(image_child, "__file__", str(slow))
    outcomes: list[str] = []
    raw = pictures.plain()

    def send() -> None:
        try:
            make_variants(raw, SQUARE)
        except (ServiceUnavailable, ValidationFailed) as refused:
            outcomes.append(refused.code)

    threads = [threading.Thread(target=send) for _ in range(50)]
    for thread in threads:
        thread.start()
    served = images.CHILDREN + images.WAITING
    # Until all of those that are served, and none but those, still run or wait.
    eventually(lambda: len(outcomes) == 50 - served and len(list(running.iterdir())) >= images.CHILDREN)
    at_first = len(list(running.iterdir()))
    go_on.touch()
    for thread in threads:
        thread.join()

    assert at_first <= images.CHILDREN
    assert len(list(running.iterdir())) == served
    assert sorted(outcomes) == ["SERVICE_UNAVAILABLE"] * (50 - served) + ["VALIDATION_ERROR"] * served


def test_a_child_that_hangs_is_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hanging = tmp_path / "hanging.py"
    hanging.write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr(image_child, "__file__", str(hanging))
    monkeypatch.setattr(images, "_WALL_SECONDS", 0.5)
    started = time.monotonic()

    assert refusal_of(pictures.plain()) == "broken_image"

    assert time.monotonic() - started < 5


def test_what_was_made_is_the_same_each_time() -> None:
    first, second = (make_variants(pictures.halves(), SQUARE) for _ in range(2))

    assert isinstance(first, Variants)
    assert first == second
