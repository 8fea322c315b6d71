"""What the deployment files promise, read from the files themselves (CI has the real tools look at them too)."""

import subprocess
from typing import Any

import pytest
import yaml

from config.tests.sources import ROOT

PROCESSES = ("web", "live", "worker", "beat", "relay", "migrate")
# Its answer cannot be asked for from inside: the database's own rows tell whether it is alive.
WITHOUT_HEALTH_CHECK = {"relay", "beat", "migrate", "s3-bucket", "node-exporter", "postgres-exporter"}


def load(path: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))
    return content


def services() -> dict[str, Any]:
    found: dict[str, Any] = load("compose.yaml")["services"]
    return found


def dockerfile_stages() -> list[list[str]]:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("FROM ")]
    return [lines[start:end] for start, end in zip(starts, [*starts[1:], len(lines)], strict=True)]


def test_the_image_ends_in_a_stage_without_build_tools_and_without_root() -> None:
    build, last = dockerfile_stages()
    text = "\n".join(last)

    assert build[0].endswith(" AS build")
    assert "--require-hashes" in "\n".join(build)
    assert not any(tool in text for tool in ("pip", "apt-get", "gcc", "git "))
    assert [line for line in last if line.startswith("USER ")] == ["USER 10001:10001"]
    assert any(line.startswith("HEALTHCHECK --interval=30s") for line in last)
    assert "PYTHONDONTWRITEBYTECODE=1" in text


def test_the_image_is_built_without_a_secret() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")

    assert "DJANGO_SETTINGS_MODULE=config.settings.build" in text
    assert "SECRET_KEY" not in text
    assert "deploy/secrets" in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("name", PROCESSES)
def test_every_process_runs_from_one_image_on_a_read_only_root_without_privileges(name: str) -> None:
    service = services()[name]

    assert service["image"] == "${NOOK_IMAGE:-nook-link:local}"
    assert service["read_only"] is True
    assert [mount.partition(":")[0] for mount in service["tmpfs"]] == ["/tmp"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["command"][0] == name


def test_compose_has_two_webs_behind_one_door_and_both_kinds_of_redis() -> None:
    found = services()

    assert found["web"]["deploy"]["replicas"] == 2
    assert "ports" not in found["web"]
    assert "allkeys-lru" in found["redis-cache"]["command"]
    assert "noeviction" in found["redis-state"]["command"]
    assert {name for name, service in found.items() if service.get("profiles") == ["replicas"]} == {
        "postgres-replica-1",
        "postgres-replica-2",
    }
    assert {"prometheus", "alertmanager", "grafana"} <= {
        name for name, service in found.items() if service.get("profiles") == ["monitoring"]
    }


def test_every_service_is_looked_at_each_30_seconds_and_started_again() -> None:
    found = services()
    watched = {name: service for name, service in found.items() if name not in WITHOUT_HEALTH_CHECK}

    assert {service["healthcheck"]["interval"] for service in watched.values()} == {"30s"}
    assert {name for name, service in found.items() if service["restart"] != "unless-stopped"} == {
        "migrate",
        "s3-bucket",
    }


def test_no_secret_stands_in_compose_and_each_is_made_by_the_script() -> None:
    secrets = load("compose.yaml")["secrets"]
    script = (ROOT / "deploy/make-secrets.sh").read_text(encoding="utf-8")
    mounted = {
        secret for service in services().values() for secret in service.get("secrets", []) if type(secret) is str
    }

    assert mounted <= set(secrets)
    for secret in secrets.values():
        folder, _, name = secret["file"].rpartition("/")
        assert folder == "deploy/secrets"
        assert name in script
    assert "PASSWORD:" not in (ROOT / "compose.yaml").read_text(encoding="utf-8")


def test_files_that_compose_mounts_are_there() -> None:
    volumes = [volume for service in services().values() for volume in service.get("volumes", [])]
    sources = {volume.partition(":")[0] for volume in volumes if volume.startswith("./")}

    assert {source for source in sources if not (ROOT / source).exists()} == set()


@pytest.mark.parametrize("script", sorted((ROOT / "deploy").rglob("*.sh")), ids=lambda path: path.name)
def test_each_shell_script_parses(script: Any) -> None:
    subprocess.run(["sh", "-n", str(script)], check=True, capture_output=True)


def test_streams_reach_the_live_process_unbuffered_and_tls_is_1_3_alone() -> None:
    text = (ROOT / "deploy/nginx/nginx.conf").read_text(encoding="utf-8")
    stream = text[text.index("location = /api/v1/events/stream") : text.index("location /ws/")]

    assert "ssl_protocols TLSv1.3;" in text
    assert "proxy_pass http://live;" in stream
    assert "proxy_buffering off;" in stream


def test_pgbouncer_pools_by_transaction_and_compose_says_so_to_the_application() -> None:
    text = (ROOT / "deploy/pgbouncer/pgbouncer.ini").read_text(encoding="utf-8")

    assert "pool_mode = transaction" in text
    assert services()["web"]["environment"]["DATABASE_TRANSACTION_POOLING"] == "true"
    assert "DATABASE_TRANSACTION_POOLING" not in services()["migrate"]["environment"]


def test_the_way_to_production_leads_through_every_gate() -> None:
    jobs = load(".github/workflows/ci.yml")["jobs"]
    way = ["health", "production", "smoke", "staging", "push", "scan", "build"]

    assert [jobs[name]["needs"] for name in way] == [
        *way[1:],
        ["test", "test-on-servers", "coverage", "deployment-files"],
    ]
    assert jobs["test"]["needs"] == "lint"
    assert jobs["test"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    assert set(jobs["test-on-servers"]["services"]) == {"postgres", "redis", "rabbitmq"}
    assert jobs["production"]["environment"]["name"] == "production"
    assert jobs["push"]["if"] == "github.event_name == 'push' && github.ref == 'refs/heads/main'"
