"""CDN_URL: static files and avatars may come from there, people's files never do."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from accounts.avatars import avatar_url
from core.storage import signed_url

_TELL = """
import json
from django.conf import settings
print(json.dumps([settings.STATIC_URL, settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]["script-src"]], default=str))
"""


def told(**given: str) -> Any:
    """Return what settings say in a process that is given these variables."""
    environment = {**os.environ, **given, "DJANGO_SETTINGS_MODULE": "config.settings.test"}
    done = subprocess.run(
        [sys.executable, "-c", _TELL],
        cwd=django_settings.BASE_DIR,
        env=environment,
        capture_output=True,
        check=True,
        timeout=240,
    )
    return json.loads(done.stdout)


def test_static_files_have_addresses_of_the_cdn() -> None:
    static, scripts = told(CDN_URL="https://cdn.example/")

    assert static == "https://cdn.example/static/"
    assert scripts[0] == "'self'"
    assert scripts[-1] == "https://cdn.example"
    assert told(CDN_URL="")[0] == "/static/"


@pytest.mark.usefixtures("stored_files")
def test_a_file_of_somebody_s_never_has(settings: Any, tmp_path: Path) -> None:
    settings.CDN_URL = "https://cdn.example"
    name = default_storage.save("files/aa/plan", ContentFile(b"Secret."))

    links = [signed_url(name), signed_url(name, may_be_cached=False), default_storage.url(name)]

    assert not any("cdn.example" in link for link in links)
    assert avatar_url("a" * 40) == f"https://cdn.example/avatars/{'a' * 40}-192.webp"
