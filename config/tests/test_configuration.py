"""The example configuration is one that production accepts, and the page about settings says what they are."""

import os
import subprocess
import sys
from pathlib import Path

from config import env
from config.documentation import read_example
from config.tests.sources import ROOT
from core.redis_link import READ_TIMEOUT


def python(*arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    clean = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=clean | environment, capture_output=True, text=True, check=False
    )


def test_the_page_of_settings_is_up_to_date() -> None:
    written = python("-m", "config.documentation", "--check", environment={})

    assert (written.returncode, written.stderr) == (0, "")


def test_production_accepts_the_example_without_a_warning(tmp_path: Path) -> None:
    example = read_example() | {"NOOK_DATA_DIR": str(tmp_path)}

    checked = python("manage.py", "check", "--deploy", "--fail-level", "WARNING", environment=example)

    assert checked.returncode == 0, checked.stderr


def test_each_environment_reads_its_settings(tmp_path: Path) -> None:
    for environment in ("development", "production", "build", "test"):
        example = read_example() | {"NOOK_DATA_DIR": str(tmp_path)}
        module = {"DJANGO_SETTINGS_MODULE": f"config.settings.{environment}"}

        checked = python("manage.py", "check", environment=example | module)

        assert checked.returncode == 0, f"{environment}: {checked.stderr}"


def test_a_redis_may_take_as_long_by_default_as_the_tests_of_a_hung_one_say() -> None:
    assert float(env.REGISTRY["REDIS_TIMEOUT_SECONDS"].default) == READ_TIMEOUT
