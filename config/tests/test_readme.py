"""The README's calls, run as they stand there against a server on a real socket, with the answers they show."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config.tests.sources import ROOT
from notifications.tests.smtp import SmtpSink

SECTION = re.compile(r"^## The first five calls\n(?P<text>.*?)^## ", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```(?P<kind>sh|json)\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)
ANYTHING = "…"


def blocks(kind: str) -> list[str]:
    section = SECTION.search((ROOT / "README.md").read_text(encoding="utf-8"))
    assert section is not None
    return [match["text"] for match in BLOCK.finditer(section["text"]) if match["kind"] == kind]


def shell(script: str, folder: Path) -> list[Any]:
    finished = subprocess.run(["bash", "-euc", script], cwd=folder, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in finished.stdout.splitlines() if line]


def agrees(shown: Any, answered: Any) -> bool:
    """Return whether the answer is what the README shows, where `…` stands for any value."""
    if shown == ANYTHING:
        return isinstance(answered, str) and answered != ""
    if isinstance(shown, dict) and isinstance(answered, dict):
        return shown.keys() == answered.keys() and all(agrees(shown[name], answered[name]) for name in shown)
    if isinstance(shown, list) and isinstance(answered, list):
        return len(shown) == len(answered) and all(map(agrees, shown, answered))
    return bool(shown == answered)


@pytest.mark.skipif(shutil.which("curl") is None, reason="the README's calls are made with curl, which is not here")
def test_the_first_five_calls_answer_as_the_readme_shows(
    server_url: str, tmp_path: Path, drain: Callable[[], int], smtp_sink: SmtpSink
) -> None:
    variables, register, *others = blocks("sh")
    variables = variables.replace("http://127.0.0.1:8000", server_url)

    answers = shell(f"{variables}\n{register}\necho", tmp_path)
    drain()
    token = smtp_sink.token_sent_to("ada@example.com")
    script = "\necho\n".join([variables, *others]).replace(f"nkm_{ANYTHING}", token)
    answers += shell(f"{script}\necho", tmp_path)

    shown = [json.loads(text) for text in blocks("json")]
    assert len(shown) == len(answers) == 5
    for expected, answer in zip(shown, answers, strict=True):
        assert agrees(expected, answer), f"the README shows\n{expected}\nand the answer is\n{answer}"
