"""A task is named by its path, so that services need not import it; here every such path is followed."""

import ast
from collections.abc import Iterator

import pytest
from django.utils.module_loading import import_string

from config.celery import SCHEDULES
from config.tests.sources import application_code, name_of


def enqueued() -> Iterator[tuple[str, str]]:
    for path, tree in application_code():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and called_name(node) == "enqueue" and node.args:
                yield f"{name_of(path)}:{node.lineno}", ast.literal_eval(node.args[0])


def called_name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


@pytest.mark.parametrize(("place", "task"), list(enqueued()))
def test_what_is_enqueued_is_there(place: str, task: str) -> None:
    assert callable(import_string(task)), place


@pytest.mark.parametrize("task", sorted({task for task, _, _ in SCHEDULES.values()}))
def test_what_is_scheduled_is_there(task: str) -> None:
    assert callable(import_string(task))
