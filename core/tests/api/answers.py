"""How the tests of the API read an error answer."""

from typing import Any


def error_of(response: Any) -> dict[str, Any]:
    """Return the error of an answer without its request id, having checked the envelope around it."""
    body = response.json()
    assert body.keys() == {"success", "error"}
    assert body["success"] is False
    assert body["error"]["request_id"] == response["X-Request-ID"]
    assert response["Content-Type"] == "application/json"
    return {name: value for name, value in body["error"].items() if name != "request_id"}


def details_of(response: Any) -> list[tuple[str | None, str]]:
    """Return field and code of every detail of a validation error."""
    error = error_of(response)
    assert (response.status_code, error["code"], error["message"]) == (400, "VALIDATION_ERROR", "Invalid input data.")
    assert all(detail["message"] for detail in error["details"])
    return sorted(((detail["field"], detail["code"]) for detail in error["details"]), key=str)
