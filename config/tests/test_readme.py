"""The calls of the README and of the API guide, run as they stand there, with the answers they show."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from accounts.models import User
from accounts.tests.factories import access_token_of, create_session
from config.tests.sources import ROOT
from notifications.tests.smtp import SmtpSink

BLOCK = re.compile(r"^```sh\n(?P<call>.*?)^```\n(?:\n```json\n(?P<answer>.*?)^```)?", re.MULTILINE | re.DOTALL)
ANYTHING = "…"
SHIPPED_ADDRESS = "http://127.0.0.1:8000"

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="the calls are made with curl, which is not here")


def calls(page: str, *, section: str = "") -> list[tuple[str, str | None]]:
    text = (ROOT / page).read_text(encoding="utf-8")
    if section:
        text = text.partition(f"## {section}\n")[2].partition("\n## ")[0]
    return [(match["call"], match["answer"]) for match in BLOCK.finditer(text)]


def run(scripts: list[str], folder: Path, **variables: str) -> list[str]:
    """Run the scripts in one shell and return what each of them said."""
    script, said = script_of(scripts, folder, **variables)
    subprocess.run(["bash", "-euc", script], check=True, capture_output=True, text=True)
    return [out.read_text(encoding="utf-8") for out in said]


def script_of(scripts: list[str], folder: Path, **variables: str) -> tuple[str, list[Path]]:
    """Return one script that runs them all, and the files in which what each of them says will stand."""
    said = [folder / f"{number}.out" for number in range(len(scripts))]
    parts = [f"{{ {script}\n}} > {out}" for script, out in zip(scripts, said, strict=True)]
    settings = [f"{name}='{value}'" for name, value in variables.items()]
    return "\n".join([*settings, *parts]), said


def agrees(shown: Any, answered: Any) -> bool:
    """Return whether the answer is what the page shows, where `…` stands for any value."""
    if shown == ANYTHING:
        return answered not in (None, "")
    if isinstance(shown, dict) and isinstance(answered, dict):
        return shown.keys() == answered.keys() and all(agrees(shown[name], answered[name]) for name in shown)
    if isinstance(shown, list) and isinstance(answered, list):
        return len(shown) == len(answered) and all(map(agrees, shown, answered))
    return bool(shown == answered)


def compare(answers: list[str], shown: list[str | None]) -> None:
    for said, expected in zip(answers, shown, strict=True):
        if expected is not None:
            assert agrees(json.loads(expected), json.loads(said)), (
                f"the page shows\n{expected}\nand the answer is\n{said}"
            )


def test_the_first_five_calls_answer_as_the_readme_shows(
    server_url: str, tmp_path: Path, drain: Callable[[], int], smtp_sink: SmtpSink
) -> None:
    pairs = calls("README.md", section="The first five calls")
    variables, register, *others = [call.replace(SHIPPED_ADDRESS, server_url) for call, _ in pairs]

    answers = run([variables, register], tmp_path)
    drain()
    token = smtp_sink.token_sent_to("ada@example.com")
    answers += run([variables, *(call.replace(f"nkm_{ANYTHING}", token) for call in others)], tmp_path)[1:]

    assert len([answer for _, answer in pairs if answer]) == 5
    compare(answers, [answer for _, answer in pairs])


def test_the_calls_of_the_api_guide_answer_as_it_shows(
    server_url: str, tmp_path: Path, owner: User, admin: User
) -> None:
    pairs = calls("docs/api-guide.md")
    tokens = {"ACCESS": access_token_of(create_session(owner)), "ADMIN": access_token_of(create_session(admin))}

    answers = run([call.replace(SHIPPED_ADDRESS, server_url) for call, _ in pairs], tmp_path, **tokens)

    compare(answers, [answer for _, answer in pairs])
