"""Which country an address is in, by a local MMDB file (`GEOIP_DATABASE`); the one place that knows maxminddb."""

import logging
from functools import lru_cache
from typing import Any

import maxminddb
from django.conf import settings

logger = logging.getLogger(__name__)


def country_of(ip: str | None) -> str:
    """Return the ISO code of the address' country; an empty text where it is not known, or no file is given.

    A file that went bad while the server runs costs its knowledge, and nothing else.
    """
    if not ip or not settings.GEOIP_DATABASE:
        return ""
    try:
        found: Any = _reader(settings.GEOIP_DATABASE).get(ip)
    except ValueError:  # an IPv6 address, and a file of IPv4 alone
        return ""
    except (OSError, maxminddb.InvalidDatabaseError) as error:
        logger.warning("the file of countries cannot be read", extra={"reason": str(error)})
        return ""
    country = found.get("country") if isinstance(found, dict) else None
    return str(country.get("iso_code") or "") if isinstance(country, dict) else ""


def database_fault() -> str:
    """Return what is wrong with the file that is given, or an empty text."""
    if not settings.GEOIP_DATABASE:
        return ""
    try:
        _reader(settings.GEOIP_DATABASE)
    except (OSError, maxminddb.InvalidDatabaseError) as error:
        return str(error)
    return ""


@lru_cache(maxsize=1)
def _reader(path: str) -> maxminddb.Reader:
    """Open the file once per process: it is mapped, not read. A new file takes a restart, as every setting does."""
    return maxminddb.open_database(path)
