"""Files in the admin: how far each is, what the scanner said, and what was made of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from core.models import OutboxRow
from core.tests import pictures
from core.tests.clamd import Clamd
from resources.models import FileState, FileVariant, FileVersion
from resources.tests.factories import create_file

BrowserOf = Callable[[User], Client]
LIST = "/admin/resources/fileversion/"


def page(browser: Client, path: str = LIST) -> str:
    response: Any = browser.get(path)
    assert response.status_code == 200
    return str(response.content.decode())


@pytest.mark.parametrize(
    ("state", "problem", "is_scanned", "told"),
    [
        (FileState.QUARANTINED, "", False, "waits"),
        (FileState.READY, "", False, "not scanned"),
        (FileState.READY, "", True, "clean ("),
        (FileState.REJECTED, "infected: Eicar-Signature", True, "infected: Eicar-Signature ("),
    ],
)
def test_staff_see_what_the_scanner_said(
    state: str,
    problem: str,
    is_scanned: bool,
    told: str,
    admin: User,
    owner: User,
    browser_of: BrowserOf,
    local_files: Path,
) -> None:
    create_file(owner)
    scanned_at = timezone.now() if is_scanned else None
    FileVersion.objects.update(state=state, problem=problem, scanned_at=scanned_at)

    assert told in page(browser_of(admin))
    assert told in page(browser_of(admin), f"{LIST}{FileVersion.objects.get().pk}/change/")


def test_staff_see_which_pictures_were_made(admin: User, owner: User, browser_of: BrowserOf, local_files: Path) -> None:
    create_file(owner, pictures.plain(), "lamp.png")
    version = FileVersion.objects.get()
    FileVariant.objects.create(version=version, form="48x48-cover-q80.webp", key="variants/aa/b", size=2048)
    FileVariant.objects.create(version=version, form="64x64-cover-q80.webp", problem="broken_image")

    shown = page(browser_of(admin), f"{LIST}{version.pk}/change/")

    assert "48x48-cover-q80.webp (2.0\xa0KB)" in shown
    assert "64x64" not in shown


def test_staff_have_files_scanned_again(
    admin: User, owner: User, browser_of: BrowserOf, local_files: Path, clamd: Clamd, settings: Any
) -> None:
    create_file(owner)
    OutboxRow.objects.all().delete()
    browser, chosen = browser_of(admin), [str(FileVersion.objects.get().pk)]
    asked = {"action": "scan_them", "_selected_action": chosen}

    done: Any = browser.post(LIST, asked, follow=True)
    place, settings.CLAMD = settings.CLAMD, {}
    refused: Any = browser.post(LIST, asked, follow=True)

    assert "1 contents will be scanned." in done.content.decode()
    assert "CLAMD_URL is not set" in refused.content.decode()
    assert (OutboxRow.objects.filter(task="resources.tasks.scan_file").count(), bool(place)) == (1, True)
