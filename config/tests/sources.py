"""The project's own files, as the guards of this folder read them."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
APPS = ("core", "notifications", "accounts", "resources")
PACKAGES = ("config", *APPS)

_NOT_OURS = {".git", ".venv", "var", "staticfiles", "htmlcov", "node_modules", "__pycache__"}


def files(suffix: str, *, under: str = "") -> Iterator[Path]:
    """Yield every file of the project with `suffix`, build products and caches left out."""
    for path in sorted((ROOT / under).rglob(f"*{suffix}")):
        parts = path.relative_to(ROOT).parts
        if path.is_file() and not any(part in _NOT_OURS or part.endswith("_cache") for part in parts):
            yield path


def application_code() -> Iterator[tuple[Path, ast.Module]]:
    """Yield every Python module of the five packages but tests and migrations, parsed."""
    for package in PACKAGES:
        for path in files(".py", under=package):
            if not {"tests", "migrations"} & set(path.relative_to(ROOT).parts):
                yield path, ast.parse(path.read_text(encoding="utf-8"))


def name_of(path: Path) -> str:
    """Return the path from the project's root, as messages show it."""
    return path.relative_to(ROOT).as_posix()


def module_of(path: Path) -> str:
    """Return the dotted module name of a Python file."""
    return name_of(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def stale(exemptions: dict[str, str], needed: set[str]) -> set[str]:
    """Return the exemptions that nothing needs any more: a list that only grows hides things."""
    return set(exemptions) - needed
