"""The calls of docs/accounts.md about providers, run as they stand there, with the answers they show."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from accounts.tests.oidc_provider.process import ProviderProcess

SECTION = "## Sign in with Google, GitHub, Microsoft or your own provider\n"
BLOCK = re.compile(r"^```sh\n(?P<call>.*?)^```\n\n```json\n(?P<answer>.*?)^```", re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="the calls are made with curl, which is not here")


def calls() -> list[tuple[str, dict[str, Any]]]:
    page = Path(django_settings.BASE_DIR, "docs/accounts.md").read_text(encoding="utf-8")
    section = page.partition(SECTION)[2].partition("\n## ")[0]
    return [(match["call"], json.loads(match["answer"])["data"]) for match in BLOCK.finditer(section)]


def run(call: str, folder: Path, **variables: str) -> Any:
    given = "".join(f"{name}='{value}'\n" for name, value in variables.items())
    said = subprocess.run(["bash", "-euc", given + call], cwd=folder, check=True, capture_output=True, text=True)
    return json.loads(said.stdout)["data"]


@pytest.mark.django_db(transaction=True)
def test_the_calls_answer_as_the_page_shows(
    provider: ProviderProcess, live_server: LiveServer, settings: Settings, tmp_path: Path
) -> None:
    settings.OAUTH_PROVIDERS = {"acme": settings.OAUTH_PROVIDERS["acme"]}
    common = {"API": f"{live_server.url}/api/v1", "JSON": "Content-Type: application/json"}
    (listing, names), (setting_out, _), (coming_back, pair), (from_an_app, shown) = calls()

    assert run(listing, tmp_path, **common) == names
    given = provider.visit(run(setting_out, tmp_path, **common)["authorization_url"], "nina")
    answered = run(coming_back, tmp_path, **common, CODE=given["code"], STATE=given["state"])

    assert answered.keys() == pair.keys()
    assert answered["user"]["email"] == "nina@example.com"
    assert run(from_an_app, tmp_path, **common).keys() == shown.keys()
