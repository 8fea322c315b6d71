"""The versions of the API, and how a version or a single endpoint that is being retired says so.

An endpoint declares `retirement = Retirement(...)` on its view; a whole version has it in `VERSIONS`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.utils.http import http_date


@dataclass(frozen=True, slots=True)
class Retirement:
    """Since when something is deprecated, when it ends, and the path that replaces it."""

    deprecated_at: datetime
    sunset_at: datetime
    successor: str

    @property
    def headers(self) -> dict[str, str]:
        """Return `Deprecation` (RFC 9745), `Sunset` (RFC 8594) and the link to the successor."""
        return {
            "Deprecation": f"@{int(self.deprecated_at.timestamp())}",
            "Sunset": http_date(self.sunset_at.timestamp()),
            "Link": f'<{self.successor}>; rel="successor-version"',
        }


VERSIONS: Final[dict[str, Retirement | None]] = {"v1": None}
"""Every version that is served; the newest stands last."""
_RETIRING: Final = {f"/api/{name}/": retirement for name, retirement in VERSIONS.items() if retirement is not None}


def retirement_of(path: str) -> Retirement | None:
    """Return the retirement of the version that the path belongs to, if it has one."""
    for prefix, retirement in _RETIRING.items():
        if path.startswith(prefix):
            return retirement
    return None
