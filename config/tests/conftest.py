"""What the tests of the whole project share."""

from collections.abc import Iterator

import pytest
from pytest_django.live_server_helper import LiveServer


@pytest.fixture
def server_url(transactional_db: None) -> Iterator[str]:
    """The address of a server of this process on a real socket; what it writes is committed, and gone afterwards.

    pytest-django's own `live_server` empties the tables after the fixtures that put back what migrations wrote.
    """
    server = LiveServer("localhost")
    yield server.url
    server.stop()
