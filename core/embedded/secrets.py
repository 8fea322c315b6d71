"""The secrets of a data folder: made at the first start, kept in one 0600 file, never a known default."""

import base64
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from core.crypto.pairs import new_pair
from core.embedded.process import make_writable_folder


def load_or_create(data_dir: Path) -> dict[str, str]:
    """Return the data folder's secrets by setting name, after making the ones that are not there yet."""
    path = data_dir / "secrets.json"
    known: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    missing = {name: make() for name, make in _MAKERS.items() if name not in known}
    if missing:
        known |= missing
        _write(path, known)
    return known


def replace_secret(data_dir: Path, name: str, value: str) -> None:
    """Give one of the data folder's secrets another value; processes read it at their start."""
    _write(data_dir / "secrets.json", {**load_or_create(data_dir), name: value})


def _write(path: Path, values: dict[str, str]) -> None:
    make_writable_folder(path.parent)
    temporary = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(values, file, indent=2)
    temporary.replace(path)


_MAKERS: dict[str, Callable[[], str]] = {
    "SECRET_KEY": lambda: secrets.token_urlsafe(48),
    "ENCRYPTION_KEYS": lambda: f"first:{base64.b64encode(secrets.token_bytes(32)).decode()}",
    "VAPID_PRIVATE_KEY": lambda: new_pair()[0],
    "JWT_KEYS": lambda: f"{secrets.token_hex(4)}:{base64.b64encode(secrets.token_bytes(32)).decode()}",
}
