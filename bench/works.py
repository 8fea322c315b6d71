"""What is asked of the servers."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from bench.load import request
from resources.demo.words import COMPANY_SECOND


@dataclass(frozen=True, slots=True)
class Caller:
    """A signed-in user of a world, with tokens for both apps."""

    user: str
    token: str
    plain_token: str
    resources: list[str]
    names: list[str]


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of request; `expected` is the status of every answer."""

    name: str
    requests: Callable[[str, str, Caller], list[bytes]]
    expected: int = 200


def _details(prefix: str, token: str, caller: Caller) -> list[bytes]:
    return [request("GET", f"{prefix}/resources/{resource}", token) for resource in caller.resources]


def _unchanged(prefix: str, token: str, caller: Caller) -> list[bytes]:
    headers = {"If-None-Match": '"1"'}
    return [request("GET", f"{prefix}/resources/{resource}", token, headers=headers) for resource in caller.resources]


def _list(prefix: str, token: str, caller: Caller) -> list[bytes]:
    return [request("GET", f"{prefix}/resources", token)]


def _searches(prefix: str, token: str, caller: Caller) -> list[bytes]:
    return [request("GET", f"{prefix}/resources?q={quote(word)}", token) for word in COMPANY_SECOND]


def _creations(prefix: str, token: str, caller: Caller) -> list[bytes]:
    bodies = [
        {
            "name": f"Invoice {place} for Amber Analytics",
            "description": "Sent on the first of the month; due within thirty days.",
            "type": "item",
            "data": {"number": place, "customer": "Amber Analytics", "price": 120.5, "done": False},
            "tags": ["paid", "customer"],
        }
        for place in range(50)
    ]
    return [request("POST", f"{prefix}/resources", token, body=json.dumps(body).encode()) for body in bodies]


def _cursor_pages(prefix: str, token: str, caller: Caller) -> list[bytes]:
    return [request("GET", f"{prefix}/resources?cursor=", token)]


def _filtered(prefix: str, token: str, caller: Caller) -> list[bytes]:
    return [request("GET", f"{prefix}/resources?owner=me&cursor=&sort=-created_at", token)]


def _one_found(prefix: str, token: str, caller: Caller) -> list[bytes]:
    return [request("GET", f"{prefix}/resources?q={quote(name.partition(':')[0])}", token) for name in caller.names]


DETAIL = Work("detail", _details)
UNCHANGED = Work("304 by ETag on detail", _unchanged, expected=304)
LIST = Work("list of 20 with total", _list)
SEARCH = Work("full-text page", _searches)
CREATE = Work("create", _creations, expected=201)
CURSOR = Work("cursor page", _cursor_pages)
FILTERED = Work("indexed filter", _filtered)
FOUND = Work("search", _one_found)
