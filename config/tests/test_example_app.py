"""The worked example of docs/extending.md: its app, put beside ours as the page says, passes its own tests."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from config.tests.sources import PACKAGES, ROOT

PAGE = ROOT / "docs" / "extending.md"
BESIDE = (*PACKAGES, "templates", "conftest.py", "manage.py", "pyproject.toml")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project with the example app in it and the lines of the page put in."""
    ignored = shutil.ignore_patterns("__pycache__")
    for name in BESIDE:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=ignored)
        else:
            shutil.copy(source, tmp_path / name)
    shutil.copytree(ROOT / "examples" / "bookmarks", tmp_path / "bookmarks", ignore=ignored)
    for change in re.finditer(r"^```diff\n(?P<diff>.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S):
        apply(change["diff"], tmp_path)
    return tmp_path


def apply(diff: str, project: Path) -> None:
    """Apply one of the page's changes to the file that its `+++` line names."""
    header, *lines = diff.splitlines()
    file = project / header.removeprefix("+++ ")
    before = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("+"))
    after = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("-"))
    text = file.read_text(encoding="utf-8")
    assert before in text, f"docs/extending.md quotes {header} as it no longer is"
    file.write_text(text.replace(before, after, 1), encoding="utf-8")


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    database_url = re.sub(r"/(\w+)(\?|$)", r"/\1_example\2", settings.DATABASE_URL, count=1)
    environment = os.environ | {"DATABASE_URL": database_url, "NOOK_DATA_DIR": str(project / "var")}
    return subprocess.run(
        [sys.executable, *arguments], cwd=project, env=environment, capture_output=True, text=True, check=False
    )


def test_the_example_app_passes_its_tests_and_our_checks_beside_ours(project: Path) -> None:
    tested = run(project, "-m", "pytest", "-q", "bookmarks", "config/tests/test_tables.py")
    linted = run(
        project, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()", "--no-cache"
    )

    assert tested.returncode == 0, tested.stdout[-3000:]
    assert linted.returncode == 0, linted.stdout[-3000:]


def test_the_page_shows_the_files_of_the_example_as_they_are() -> None:
    shown = re.findall(r"^```python\n# (bookmarks/\S+)\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)

    assert {name for name, _ in shown} >= {f"bookmarks/{stem}.py" for stem in ("models", "services", "api", "admin")}
    for name, code in shown:
        assert code == (ROOT / "examples" / name).read_text(encoding="utf-8")
