"""How JSON comes out of the database."""

import json
from typing import Any

import orjson


class StoredJSON(json.JSONDecoder):
    """Reads what a `jsonb` says; a number without a fraction beyond 64 bit is the double that it was written from.

    PostgreSQL spells 1e308 with 309 digits. The standard library makes an `int` of them, which orjson writes to nobody
    and which equals no double that a client sends.
    """

    def decode(self, s: str) -> Any:  # type: ignore[override]  # the base's second parameter is for its own recursion
        return orjson.loads(s)
