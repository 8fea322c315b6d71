"""Answer for a container's HEALTHCHECK: exit code 0 when the URL answers with success within five seconds.

In Python's standard library, because the image has no curl.
"""

import sys
import urllib.error
import urllib.request


def main(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  # our own address
            return 0 if answer.status == 200 else 1
    except urllib.error.URLError as error:
        sys.stderr.write(f"{url}: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2] or ["http://127.0.0.1:8000/health/live"]))
