"""What import-linter cannot say: parts of packages, and one importer for each outside world."""

import ast
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from config.tests.sources import ROOT, application_code, module_of

# Library or part of it: the modules (patterns) that may import it, and nobody else.
OUTSIDE_WORLDS: dict[str, tuple[str, ...]] = {
    "boto3": ("core.storage", "core.storage.*"),
    "botocore": ("core.storage", "core.storage.*"),
    "maxminddb": ("accounts.countries",),
    "webauthn": ("accounts.relying_party",),
    "urllib3": ("core.http_client", "core.http_client.*"),
    "urllib.request": ("core.smoke", "core.smoke.*"),
    "http.client": ("core.http_client",),  # for the exceptions that urllib3 lets through
    "requests": (),
    "httpx": (),
    "PIL": ("core.image_child",),
    "smtplib": ("notifications.channels.smtp",),
    "django.core.mail": ("notifications.channels.email",),
}
# What services and models must not know, whatever else they import.
HTTP = ("django.http", "django.shortcuts", "django.views", "django.urls", "rest_framework")


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def names_one_of(imported: str, packages: tuple[str, ...]) -> bool:
    return any(imported == package or imported.startswith(f"{package}.") for package in packages)


def trespasses(path: Path, tree: ast.Module) -> Iterator[str]:
    module = module_of(path)
    for imported in imports(tree):
        for world, importers in OUTSIDE_WORLDS.items():
            if names_one_of(imported, (world,)) and not any(fnmatch(module, pattern) for pattern in importers):
                yield f"{module} imports {imported}: only {' '.join(importers) or 'nobody'} may"
        if {"services", "models"} & set(module.split(".")[1:]) and names_one_of(imported, HTTP):
            yield f"{module} imports {imported}: HTTP stops at api/"


def test_each_outside_world_has_one_importer_and_http_stops_at_the_edge() -> None:
    found = [line for path, tree in application_code() for line in trespasses(path, tree)]

    assert found == []


def test_a_planted_trespass_is_seen() -> None:
    planted = ast.parse("import boto3\nfrom django.http import HttpRequest\nfrom django.core import mail\n")

    assert list(trespasses(ROOT / "accounts/services/passwords.py", planted)) == [
        "accounts.services.passwords imports boto3: only core.storage core.storage.* may",
        "accounts.services.passwords imports django.http.HttpRequest: HTTP stops at api/",
        "accounts.services.passwords imports django.core.mail: only notifications.channels.email may",
    ]
