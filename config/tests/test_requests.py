"""What Django itself would stumble over while it makes the request, sent to a real web process."""

import pytest

from accounts.tests.servers import WebProcess

TYPES = [
    "application/json; boundary*=nothing''b",
    "application/json; charset*=utf-7''x; charset*0*=no'x'y",
    "multipart/form-data; boundary*=x'y'z",
    ";;;",
    "application/json; charset=\x7f",
]


@pytest.mark.parametrize("path", ["/api/v1/auth/login", "/api/v1/profile/avatar", "/api/v1/nowhere"])
def test_no_content_type_is_a_fault(transactional_db: None, path: str) -> None:
    server = WebProcess()
    try:
        statuses = [server.ask("POST", path, {}, {"Content-Type": content_type}) for content_type in TYPES]
    finally:
        server.stop()

    assert all(400 <= status < 500 for status in statuses), statuses
