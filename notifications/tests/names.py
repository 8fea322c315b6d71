"""A name of the open internet that leads to this machine, for the length of a test."""

import socket
from typing import Any

import pytest


def lead_here(monkeypatch: pytest.MonkeyPatch, host: str, port: int) -> None:
    """Let `host` resolve to a port of this machine, whatever port is asked for; all other names are as they were."""
    resolve = socket.getaddrinfo

    def resolve_here(name: Any, asked: Any, *arguments: Any, **keywords: Any) -> Any:
        found = [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", port))]
        return found if name == host else resolve(name, asked, *arguments, **keywords)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_here)
