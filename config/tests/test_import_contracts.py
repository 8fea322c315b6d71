"""The import contracts are kept; and each of them, broken on purpose in a copy, is seen to be broken."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from config.tests.sources import PACKAGES, ROOT

PLANTED = {
    "Floors": ("notifications/planted.py", "import accounts.models\n"),
    "Inside a feature": ("accounts/services/planted.py", "import accounts.admin\n"),
    "Inside the ground": ("core/models/planted.py", "import core.api.envelope\n"),
    "Services and models know no HTTP": ("resources/services/planted.py", "import rest_framework.views\n"),
    "The edges of a feature are its own": ("resources/planted.py", "import accounts.api\n"),
    "No packages that import each other in a circle": (
        "core/planted/__init__.py",
        "import core.planted_too\n",
    ),
}
# What else a planted import needs to be one.
COMPANIONS = {"core/planted_too.py": "import core.planted\n", "accounts/admin.py": ""}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "tests"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint_imports(folder: Path) -> list[str]:
    command = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    finished = subprocess.run(
        [sys.executable, "-c", command, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False
    )
    return [line for line in finished.stdout.splitlines() if line.endswith((" KEPT", " BROKEN"))]


def test_each_planted_import_breaks_its_contract(copy: Path) -> None:
    before = lint_imports(copy)
    for name, text in [*PLANTED.values(), *COMPANIONS.items()]:
        (copy / name).parent.mkdir(exist_ok=True)
        (copy / name).write_text(text, encoding="utf-8")

    after = lint_imports(copy)

    assert [line for line in before if line.endswith(" BROKEN")] == []
    assert {
        title: next(line for line in after if line.startswith(title)).rpartition(" ")[2] for title in PLANTED
    } == dict.fromkeys(PLANTED, "BROKEN")
    assert len(after) == len(PLANTED)
