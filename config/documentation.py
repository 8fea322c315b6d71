"""Writes docs/configuration.md from the settings themselves: `make docs`; with `--check` it only compares.

Every setting is read through `config.env`, which remembers its kind, default and help; the heading that the reading
stands under in its file becomes the section of the page.
"""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from config import env

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "configuration.md"
EXAMPLE = ROOT / "deploy" / "production.env.example"

_HEADING_OR_READING = re.compile(
    r"^# (?P<heading>[A-Z][^\n]*?) -{3,}$|\benv\.[a-z]+\(\s*\"(?P<name>[A-Z0-9_<>]+)\"", re.MULTILINE
)
_PREFACE = """# Configuration

Made by `make docs` from the settings; change the help text there, not here.

Settings are environment variables. `NAME_FILE` may be given instead of `NAME`: the setting is then what that file
holds, which is how Docker and Kubernetes hand over secrets. A wrong value stops the process with one line that names
the setting. `manage.py doctor` shows what a running configuration lacks, and `manage.py check --deploy` refuses what
production must not have. [`deploy/production.env.example`](../deploy/production.env.example) is a complete production
configuration to start from.
"""


def read_example() -> dict[str, str]:
    """Return the variables of the example configuration, with which production starts."""
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def page() -> str:
    """Return the page as it has to be; imports production's settings, so call it in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(read_example(), NOOK_DATA_DIR=folder)
        import_module("config.settings.production")
        sections = _sections()
        lines = [line for title, names in sections.items() for line in _section(title, names)]
        return _PREFACE + "\n".join(lines).replace(folder, "var").replace(f"{ROOT}/", "") + "\n"


def _sections() -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {}
    for section, name in _readings():
        if name in env.REGISTRY and not any(name in names for names in sections.values()):
            sections.setdefault(section, []).append(name)
    return sections


def _readings() -> Iterator[tuple[str, str]]:
    files = [ROOT / "config" / "settings" / "base.py", *sorted((ROOT / "config").glob("*.py"))]
    files += sorted((ROOT / "config" / "settings").glob("*.py"))
    for file in files:
        section = "Identity and place" if file.name == "base.py" else file.stem.capitalize()
        for match in _HEADING_OR_READING.finditer(file.read_text(encoding="utf-8")):
            if match["heading"]:
                section = match["heading"]
            elif match["name"]:
                yield section, match["name"]


def _section(title: str, names: list[str]) -> list[str]:
    head = ["", f"## {title}", "", "| setting | kind | default | what it does |", "| --- | --- | --- | --- |"]
    return head + [_row(env.REGISTRY[name]) for name in names]


def _row(setting: env.Setting) -> str:
    default = f"`{setting.default}`" if setting.default else ""
    return f"| `{setting.name}` | {setting.kind} | {default} | {setting.help.replace('|', '&#124;')} |"


def main() -> int:
    """Write the page, or say whether it is up to date."""
    wanted = page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(wanted, encoding="utf-8")
        return 0
    if PAGE.read_text(encoding="utf-8") == wanted:
        return 0
    sys.stderr.write("docs/configuration.md is not up to date: run make docs.\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
