"""The configuration as a folder: `<part>/<key>.json`, one thing a file, sorted, the same bytes for the same thing."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from core.configuration.parts import PARTS, Document, Part
from core.errors import ValidationFailed


@dataclass(frozen=True, slots=True)
class Written:
    """What `write_folder` did: the files there are, those that were written anew, and those that nothing stands for."""

    files: int
    changed: list[Path]
    stale: list[Path]


def write_folder(folder: Path, *, prune: bool) -> Written:
    """Write everything that is configured; files that nothing stands for are removed with `prune`, else named."""
    changed: list[Path] = []
    stale: list[Path] = []
    wanted: set[Path] = set()
    for part in PARTS.values():
        place = folder / part.name
        place.mkdir(parents=True, exist_ok=True)
        for document in part.stored():
            file = place / file_name(document[part.key])
            wanted.add(file)
            if _write(file, as_text(document)):
                changed.append(file)
        stale += [file for file in sorted(place.glob("*.json")) if file not in wanted]
    for file in stale if prune else ():
        file.unlink()
    return Written(len(wanted), changed, stale)


def read_folder(folder: Path) -> dict[str, dict[str, Document]]:
    """Return the documents of each part that the folder has, by key, complete; raises `ValidationFailed`.

    A part without a folder is left out: nothing is said of it.
    """
    unknown = sorted(place.name for place in folder.iterdir() if place.is_dir() and place.name not in PARTS)
    unknown = [name for name in unknown if not name.startswith(".")]
    if unknown:
        known = ", ".join(PARTS)
        raise ValidationFailed.of(
            unknown[0], "unknown_part", f"This is no part of the configuration; there are {known}."
        )
    present = [part for part in PARTS.values() if (folder / part.name).is_dir()]
    return {part.name: _read_part(part, sorted((folder / part.name).glob("*.json"))) for part in present}


def file_name(key: str) -> str:
    """Return the name of the file of this key, which may hold any character."""
    return f"{quote(key, safe=' ')}.json"


def as_text(document: Mapping[str, Any]) -> str:
    """Return the document as its file holds it."""
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def read_document(file: Path) -> Document:
    """Return what the file says; raises `ValidationFailed` for what is no JSON object."""
    try:
        document = json.loads(
            file.read_text(encoding="utf-8"), object_pairs_hook=_without_repetition, parse_constant=_refuse_constant
        )
    except (OSError, ValueError, RecursionError) as error:
        raise ValidationFailed.of(str(file), "no_json", f"This cannot be read as JSON: {error}.") from None
    if not isinstance(document, dict):
        raise ValidationFailed.of(str(file), "no_object", "This is no JSON object.")
    return document


def _write(file: Path, text: str) -> bool:
    if file.exists() and file.read_text(encoding="utf-8") == text:
        return False
    file.write_text(text, encoding="utf-8")
    return True


def _read_part(part: Part, files: Iterable[Path]) -> dict[str, Document]:
    found: dict[str, Document] = {}
    for file in files:
        document = _complete(part, file)
        key = document[part.key]
        if key in found:
            raise ValidationFailed.of(str(file), "repeated", f"Another file has the {part.key} {key!r} already.")
        found[key] = document
    return found


def _complete(part: Part, file: Path) -> Document:
    document = read_document(file)
    try:
        return part.complete(document)
    except ValidationFailed as refusal:
        told = "; ".join(f"{detail.field}: {detail.message}" for detail in refusal.details)
        raise ValidationFailed.of(str(file), "invalid", told) from None


def _without_repetition(pairs: list[tuple[str, Any]]) -> Document:
    document = dict(pairs)
    if len(document) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return document


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
