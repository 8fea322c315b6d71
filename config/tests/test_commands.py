"""Every `manage.py` command of ours explains itself and is run by a test."""

import argparse
import re
from pathlib import Path

import pytest
from django.core.management import load_command_class

from config.tests.sources import APPS, ROOT, files

COMMANDS = [
    pytest.param(app, path.stem, id=path.stem)
    for app in APPS
    for path in sorted((ROOT / app / "management" / "commands").glob("[a-z]*.py"))
]


def own_arguments(app: str, name: str) -> list[argparse.Action]:
    parser = load_command_class(app, name).create_parser("manage.py", name)
    common = argparse.ArgumentParser(add_help=False)
    base = load_command_class("django.core", "check").create_parser("manage.py", "check")
    shared = {action.dest for action in base._actions} | {action.dest for action in common._actions}
    return [action for action in parser._actions if action.dest not in shared]


@pytest.mark.parametrize(("app", "name"), COMMANDS)
def test_the_command_and_each_of_its_options_have_a_help_text(app: str, name: str) -> None:
    silent = [action.dest for action in own_arguments(app, name) if not action.help]

    assert load_command_class(app, name).help.strip() != ""
    assert silent == []


def mentions(path: Path, name: str) -> bool:
    return re.search(rf"""["' ]{name}["' ]""", path.read_text(encoding="utf-8")) is not None


@pytest.mark.parametrize(("app", "name"), COMMANDS)
def test_the_command_is_run_by_a_test(app: str, name: str) -> None:
    tests = [path for path in files(".py") if "tests" in path.parts and path.name.startswith("test_")]

    assert any(mentions(path, name) for path in tests), f"no test runs manage.py {name}"


@pytest.mark.parametrize(("app", "name"), COMMANDS)
def test_the_command_stands_in_the_list_of_commands(app: str, name: str) -> None:
    page = (ROOT / "docs" / "getting-started.md").read_text(encoding="utf-8")

    assert f"`{name}`" in page.partition("## Commands")[2]
