"""The story of an invoice, run as docs/invoice-story.md tells it, with a worker beside the server."""

import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from accounts.models import User
from accounts.tests.factories import access_token_of, create_session
from config.tests.test_readme import SHIPPED_ADDRESS, calls, compare, pytestmark, script_of
from core.models import Event
from resources.models import Resource

__all__ = ["pytestmark"]

PAGE = "docs/invoice-story.md"


def test_the_story_of_an_invoice_goes_as_the_page_tells_it(
    server_url: str,
    tmp_path: Path,
    settings: Any,
    drain: Callable[[], int],
    owner: User,
    stranger: User,
    moderator: User,
    admin: User,
) -> None:
    settings.PUBLIC_URL = server_url
    pairs = calls(PAGE)
    people = {"ADA": admin, "MO": moderator, "OLIVE": owner, "SAM": stranger}
    variables = {name: access_token_of(create_session(user)) for name, user in people.items()}
    script, said = script_of(
        [call.replace(SHIPPED_ADDRESS, server_url) for call, _ in pairs], tmp_path, **variables, SAM_ID=str(stranger.pk)
    )

    run_beside_a_worker(script, drain)

    answers = [out.read_text(encoding="utf-8") if out.exists() else "" for out in said]
    compare(answers, [answer for _, answer in pairs])
    invoice = Resource.objects.get(name="March")
    assert (invoice.status, invoice.version, invoice.data["total"]) == ("paid", 9, 120.5)
    assert Event.objects.filter(subject_id=str(invoice.pk)).count() == 9


def run_beside_a_worker(script: str, drain: Callable[[], int]) -> None:
    """Run the script, which goes on after a call that failed, while this process works off what it causes."""
    process = subprocess.Popen(
        ["bash", "-uc", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )
    listener = threading.Thread(target=process.communicate)
    listener.start()
    while listener.is_alive():
        drain()
        listener.join(0.1)
