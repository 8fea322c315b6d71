"""The committed OpenAPI document says what the code does."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import call_command
from django.test import Client

from config.tests.operations import PARAMETER
from core.api.documentation import as_yaml
from core.api.routes import api_routes

COMMITTED = Path(settings.BASE_DIR) / "docs" / "openapi.yaml"
METHODS = ("get", "post", "put", "patch", "delete")


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    document = yaml.safe_load(as_yaml())
    return [
        (path, method, item[method]) for path, item in document["paths"].items() for method in METHODS if method in item
    ]


def test_the_committed_document_is_the_one_that_the_code_makes(tmp_path: Path) -> None:
    written = tmp_path / "openapi.yaml"

    call_command("spectacular", "--validate", "--fail-on-warn", f"--file={written}")

    assert written.read_text() == COMMITTED.read_text(), "Run `make schema` and commit docs/openapi.yaml."


def test_every_route_of_the_api_is_in_the_document() -> None:
    described = {(path, method.upper()) for path, method, _ in operations()}
    routed = {
        (PARAMETER.sub(r"{\1}", route.path), method)
        for route in api_routes()
        if route.view is not None and getattr(route.view, "schema", None) is not None
        for method in route.methods
    }

    assert described == routed


def test_every_operation_says_what_it_does_and_what_it_costs() -> None:
    for path, method, operation in operations():
        assert operation["summary"], (path, method)
        assert operation["description"], (path, method)
        assert operation["x-rate-limit"] in {"default", "auth", "upload", "bulk", "inbound"}, (path, method)
        assert operation["x-permission"], (path, method)
        assert {"400", "406", "429", "500", "503"} <= operation["responses"].keys(), (path, method)


def test_an_operation_that_looks_at_tokens_says_how_it_refuses_them() -> None:
    for path, method, operation in operations():
        assert not operation["security"] or "401" in operation["responses"], (path, method)


def test_what_has_a_version_is_written_under_if_match() -> None:
    versioned = {
        path for path, method, operation in operations() if method == "get" and "304" in operation["responses"]
    }
    for path, method, operation in operations():
        if path in versioned and method in {"put", "patch", "delete"}:
            assert "412" in operation["responses"], (path, method)


def test_a_write_is_conditional_by_if_match_alone() -> None:
    for path, method, operation in operations():
        headers = {one["name"] for one in operation.get("parameters", []) if one["in"] == "header"}
        assert "If-None-Match" not in headers or method == "get", (path, method)
        assert "If-Match" not in headers or "412" in operation["responses"], (path, method)


def test_every_way_to_refuse_a_refresh_token_is_told() -> None:
    (refreshing,) = [operation for path, _, operation in operations() if path.endswith("/auth/refresh-token")]
    codes = {"INVALID_TOKEN", "TOKEN_EXPIRED", "TOKEN_REUSED", "SESSION_REVOKED"}

    assert codes <= refreshing["responses"]["401"]["content"]["application/json"]["examples"].keys()


def test_every_body_and_every_answer_has_an_example() -> None:
    for path, method, operation in operations():
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        answers = [answer for status, answer in operation["responses"].items() if status not in {"204", "302", "304"}]
        for holder in bodies + answers:
            for content in holder["content"].values():
                assert content.get("examples"), (path, method)


def test_operations_have_names_of_their_own() -> None:
    names = [operation["operationId"] for _, _, operation in operations()]

    assert sorted(set(names)) == sorted(names)


@pytest.mark.django_db
def test_the_document_is_served_as_json_and_as_yaml(anonymous: Client) -> None:
    as_json = anonymous.get("/api/v1/schema")
    as_text = anonymous.get("/api/v1/schema", headers={"accept": "application/yaml"})

    assert as_json["Content-Type"] == "application/json"
    assert as_text["Content-Type"] == "application/yaml"
    assert as_json.json() == yaml.safe_load(as_text.content)
    assert as_text.content.decode() == COMMITTED.read_text()


@pytest.mark.django_db
def test_the_page_of_the_documentation_takes_scripts_from_this_server_only(client: Client) -> None:
    response = client.get("/api/v1/docs")

    page = response.content.decode()
    assert response.status_code == 200
    assert "script-src 'self';" in response["Content-Security-Policy"]
    assert "https://" not in page
    assert 'data-schema="/api/v1/schema"' in page
    assert page.count("<script ") == page.count(' src="/static/') == 2


def test_the_page_of_the_documentation_says_which_methods_it_knows(client: Client) -> None:
    refused = client.post("/api/v1/docs")

    assert (refused.status_code, refused.json()["error"]["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert refused["Allow"] == client.options("/api/v1/docs")["Allow"] == "GET, HEAD, OPTIONS"
