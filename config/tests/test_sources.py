"""Files stay small enough to read, and hold nothing of the machine they were written on."""

import ast
import re
from pathlib import Path

from config.tests.sources import ROOT, application_code, files, name_of, stale

LONGEST_FILE = 400
LONGEST_FUNCTION = 50
# A longer file, with the reason.
LONG_FILES: dict[str, str] = {}

PRIVATE_PATH = re.compile(r"(?<![\w.~-])/(?:root|home/[a-z]+|Users/\w+)/")
# Django's cache.clear() is a FLUSHDB: it takes along the messages and buckets of the tests that run beside.
EMPTIES = re.compile(r"\bcaches?(?:\[[^]]*\])?\.clear\(\)|flush(?:db|all)", re.IGNORECASE)
INDEX_OPTION = re.compile(r"^\s*(?:--index-url|--extra-index-url|--find-links|-i\s)", re.MULTILINE)


def test_no_python_file_is_longer_than_a_sitting() -> None:
    long = {
        name_of(path)
        for path in files(".py")
        if "migrations" not in path.parts and len(path.read_text(encoding="utf-8").splitlines()) > LONGEST_FILE
    }

    assert long - set(LONG_FILES) == set()
    assert stale(LONG_FILES, long) == set()


def test_no_function_is_longer_than_a_screen() -> None:
    long = [
        f"{name_of(path)}:{node.lineno} {node.name}"
        for path, tree in application_code()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= LONGEST_FUNCTION
    ]

    assert long == []


def test_no_file_names_a_private_path_or_this_checkout() -> None:
    found = [
        name_of(path)
        for suffix in (".py", ".md", ".toml", ".yaml", ".yml", ".txt", ".in", ".sh", ".conf", "Dockerfile", "Makefile")
        for path in files(suffix)
        if PRIVATE_PATH.search(text := path.read_text(encoding="utf-8")) or f"{ROOT}/" in text
    ]

    assert found == []


def test_no_test_empties_a_redis_that_others_use() -> None:
    found = [
        f"{name_of(path)}:{number}"
        for path in files(".py")
        if "tests" in path.parts and path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if EMPTIES.search(line) and "own_redis" not in line
    ]

    assert found == []


def test_the_lock_files_name_no_package_index() -> None:
    found = [path.name for path in ROOT.glob("requirements*") if INDEX_OPTION.search(path.read_text(encoding="utf-8"))]

    assert found == []


def test_every_locked_package_has_a_version_and_a_hash() -> None:
    for path in ROOT.glob("requirements*.txt"):
        entries = re.split(r"\n(?=[a-zA-Z])", path.read_text(encoding="utf-8").strip())

        assert [entry.splitlines()[0] for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []


def test_every_dependency_has_its_reason_written_down() -> None:
    reasons = (ROOT / "docs/adr/0001-dependencies.md").read_text(encoding="utf-8")
    direct = {
        re.split(r"[\[=<>~ ]", line)[0]
        for name in ("requirements.in", "requirements-dev.in")
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines()
        if line and not line.startswith(("#", "-"))
    }

    assert {name for name in direct if f"| {name} |" not in reasons} == set()
    assert set(re.findall(r"^\| ([A-Za-z][\w-]+) \|", reasons, re.MULTILINE)) - direct == {"package"}
