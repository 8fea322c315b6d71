"""In which forms the picture in a file is given out: few enough to be made ahead of nobody's question.

An edge is one of `EDGES`, a quality one of `QUALITIES`; so a file has a bounded number of pictures, whoever asks.
"""

from dataclasses import dataclass
from typing import Final

from core.images import Fit, Format, Variant

EDGES: Final = (
    *(16, 24, 32, 48, 64, 80, 96, 100, 120, 128, 150, 160, 180, 192, 200, 240, 250, 256, 300, 320, 360, 400, 480, 500),
    *(512, 600, 640, 720, 750, 768, 800, 900, 960, 1000, 1024, 1080, 1200, 1280, 1440, 1500, 1600, 1920, 2000, 2048),
    2560,
)
QUALITIES: Final = tuple(range(10, 101, 5))
FITS: Final = ("cover", "contain")
FORMATS: Final = ("webp", "avif", "jpeg", "png")
SOURCES: Final = ("jpeg", "png", "webp", "gif", "avif")
"""What a picture is made from; of the media type `image/…`."""

_UNBOUNDED: Final = 16_000
"""The other edge where one is given: as long as the picture's shape makes it, and as WebP can be."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One form of a picture."""

    width: int
    height: int
    fit: Fit
    format: Format
    quality: int

    @property
    def name(self) -> str:
        """Return what tells this form from the others of the same file."""
        quality = "" if self.format == "png" else f"-q{self.quality}"
        return f"{self.width}x{self.height}-{self.fit}{quality}.{self.format}"

    @property
    def content_type(self) -> str:
        """Return its media type."""
        return f"image/{self.format}"

    def variant(self) -> Variant:
        """Return it as those who make pictures know it."""
        return Variant(self.name, self.width, self.height, self.fit, self.format, self.quality)


PRESETS: Final[dict[str, tuple[int, int, Fit]]] = {
    "thumbnail": (96, 96, "cover"),
    "small": (320, 320, "contain"),
    "medium": (800, 800, "contain"),
    "large": (1600, 1600, "contain"),
}


def picture(
    *,
    width: int | None = None,
    height: int | None = None,
    fit: Fit | None = None,
    format: Format = "webp",
    quality: int = 80,
) -> Picture:
    """Return the form that is asked for; where one edge is left out, it follows from the other."""
    if width is None and height is None:
        return Picture(EDGES[-1], EDGES[-1], "contain", format, quality)
    if width is None or height is None:
        return Picture(width or _UNBOUNDED, height or _UNBOUNDED, "contain", format, quality)
    return Picture(width, height, fit or "cover", format, quality)
