"""What an avatar's pictures are called, in storage and on the web.

The key is 160 random bits, new with every picture. So an address cannot be guessed, never shows another picture, and
may be cached; whoever is told it may look (docs/adr/0016).
"""

import re
import secrets
from typing import Final

from django.conf import settings
from django.db.models import F, Func, TextField, Value

from core.images import Variant

SIZES: Final = (64, 192, 512)
SHOWN: Final = 192
"""The size that a user's shape carries."""

VARIANTS: Final = tuple(Variant(str(size), size, size) for size in SIZES)
FOLDER: Final = "avatars"
_KEY: Final = re.compile(r"[0-9a-f]{40}")
_STORED: Final = re.compile(r"([0-9a-f]{40})-\d+\.webp")


def new_key() -> str:
    """Return a key that nobody has and nobody can guess."""
    return secrets.token_hex(20)


def is_key(text: str) -> bool:
    return _KEY.fullmatch(text) is not None


def key_in(file_name: str) -> str | None:
    """Return the key in the name of a stored picture, None when it is another file."""
    found = _STORED.fullmatch(file_name)
    return found[1] if found else None


def stored_name(key: str, size: int | str) -> str:
    """Return where storage has the picture; the folders keep a listing short, however many users there are."""
    return f"{FOLDER}/{key[:2]}/{key}-{size}.webp"


def stored_names(key: str) -> list[str]:
    """Return where storage has every size."""
    return [stored_name(key, size) for size in SIZES]


def avatar_url(key: str | None, size: int = SHOWN) -> str | None:
    """Return the address of one size, None for whoever has no avatar."""
    return f"{_base()}{key}-{size}.webp" if key else None


def avatar_urls(key: str | None) -> dict[str, str] | None:
    """Return the address of every size, by the length of an edge in pixels."""
    return {str(size): f"{_base()}{key}-{size}.webp" for size in SIZES} if key else None


def avatar_url_in_sql(column: str) -> Func:
    """Return `avatar_url` of a column as SQL, for shapes that the database makes."""
    return Func(
        Value(_base(), TextField()),
        F(column),
        Value(f"-{SHOWN}.webp", TextField()),
        template="(%(expressions)s)",
        arg_joiner=" || ",
        output_field=TextField(),
    )


def _base() -> str:
    return f"{settings.CDN_URL or settings.PUBLIC_URL}/avatars/"
