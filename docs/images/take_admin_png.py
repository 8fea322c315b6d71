"""Takes docs/images/admin.png: the dashboard of a running server, through ChromeDriver (Debian: chromium-driver).

make run                                   # demo data, and the demo admin's password
.venv/bin/python docs/images/take_admin_png.py http://127.0.0.1:8000 admin@example.com PASSWORD
"""

import base64
import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any, Final

PICTURE: Final = Path(__file__).with_name("admin.png")
FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--window-size=1440,1000",
)
SIGN_IN: Final = """
    document.querySelector('[name=username]').value = arguments[0];
    document.querySelector('[name=password]').value = arguments[1];
    document.querySelector('#login-form').submit();
"""


def command(address: str, body: dict[str, Any] | None = None) -> Any:
    """Send one WebDriver command (a GET when there is no body) and return its value."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"Content-Type": "application/json"})  # noqa: S310  # our driver
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  # as above
        return json.load(answer)["value"]


def take(driver: str, server: str, email: str, password: str) -> None:
    """Sign in, let the page come to rest, and write the picture."""
    with tempfile.TemporaryDirectory() as profile:
        options = {"args": [*FLAGS, f"--user-data-dir={profile}"]}
        wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}}
        session = f"{driver}/session/{command(f'{driver}/session', wanted)['sessionId']}"
        command(f"{session}/url", {"url": f"{server}/admin/login/"})
        command(f"{session}/execute/sync", {"script": SIGN_IN, "args": [email, password]})
        time.sleep(3)
        PICTURE.write_bytes(base64.b64decode(command(f"{session}/screenshot")))


def main() -> None:
    """Start ChromeDriver for one picture."""
    server, email, password = sys.argv[1:]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL)  # noqa: S603, S607  # fixed
    try:
        time.sleep(1)
        take(f"http://127.0.0.1:{port}", server, email, password)
    finally:
        process.terminate()


if __name__ == "__main__":
    main()
