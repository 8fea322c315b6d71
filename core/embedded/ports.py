"""Whether a port is free: asked before anything starts, so that the answer is one line."""

import socket

from core.embedded.process import EmbeddedServerError


def require_free(host: str, port: int) -> None:
    """Raise when `host:port` cannot be listened at."""
    try:
        family, kind, protocol, _name, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
    except OSError as error:
        raise EmbeddedServerError(
            f"Cannot listen at {host} port {port} ({error.strerror or error}): give another --host or --port."
        ) from None
