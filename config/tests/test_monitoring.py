"""The rules and the dashboard in `deploy/monitoring` ask for what `/metrics` says, in expressions that are whole."""

import json
import re
from datetime import timedelta
from typing import Any, Final

import pytest
import yaml
from django.test import Client
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from config.celery import SCHEDULES
from config.tests.sources import ROOT
from core import metrics

FOLDER: Final = ROOT / "deploy/monitoring"
OF_OTHERS: Final = re.compile(r"up|(pg|node)_[A-Za-z_]+")
"""What the exporters beside us say."""

FUNCTIONS: Final = frozenset(
    {"absent", "avg", "delta", "histogram_quantile", "max", "min", "rate", "sum"} | {"by", "and", "or", "without"}
)
LABELS: Final = re.compile(r'([a-z_]+)(?:=~|!~|!=|=)"([^"]*)"')
SUFFIXES: Final = re.compile(r"_(total|bucket|sum|count)$")


def rules() -> list[dict[str, Any]]:
    told = yaml.safe_load((FOLDER / "alerts.yml").read_text(encoding="utf-8"))
    return [rule for group in told["groups"] for rule in group["rules"]]


def expressions() -> dict[str, str]:
    """Return every expression, by who asks it."""
    dashboard = json.loads((FOLDER / "grafana/dashboards/nook-link.json").read_text(encoding="utf-8"))
    asked = {f"alert {rule['alert']}": rule["expr"] for rule in rules()}
    for panel in dashboard["panels"]:
        asked |= {f"panel {panel['title']} {target['refId']}": target["expr"] for target in panel["targets"]}
    return asked


def names_in(expression: str) -> set[str]:
    """Return the names that stand in an expression outside of labels, ranges and `by (…)`."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(by|without) \([^)]*\)", "", expression)
    return set(re.findall(r"\b[a-z_][A-Za-z_]*\b", bare))


@pytest.fixture
def exposed(settings: Settings) -> dict[str, set[str]]:
    """What `/metrics` says here and now: each name with the names of its labels."""
    settings.METRICS_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    Client().get("/health/live")
    text = Client().get("/metrics").content.decode()
    said = {
        family.name: {label for row in family.samples for label in row.labels}
        for family in text_string_to_metric_families(text)
    }
    for kept in vars(metrics).values():
        # A counter that has counted nothing yet is not said.
        if isinstance(kept, Counter | Gauge | Histogram):
            said.setdefault(kept._name, set()).update(kept._labelnames)
    return said


@pytest.mark.parametrize("who", expressions())
@pytest.mark.django_db
def test_what_is_asked_for_is_there(who: str, exposed: dict[str, set[str]]) -> None:
    expression = expressions()[who]
    names = names_in(expression) - FUNCTIONS
    ours = {SUFFIXES.sub("", name) for name in names if not OF_OTHERS.fullmatch(name)}

    assert ours - exposed.keys() == set()
    assert names, "an expression asks for something"
    known = {label for name in ours for label in exposed[name]} | {"le", "name", "job", "mode", "fstype"}
    grouped = {label for found in re.findall(r"\bby \(([^)]*)\)", expression) for label in found.split(", ")}
    assert ({label for label, _ in LABELS.findall(expression)} | grouped) - known == set()
    for opened, closed in ("()", "[]", "{}"):
        assert expression.count(opened) == expression.count(closed)


def test_schedules_that_rules_name_are_there() -> None:
    named = {value for rule in rules() for label, value in LABELS.findall(rule["expr"]) if "schedule" in rule["expr"]}

    assert named == {"watch-operations"}
    assert named <= SCHEDULES.keys()


def test_the_clock_gives_a_sign_of_life_each_minute() -> None:
    assert SCHEDULES["heartbeat"] == ("notifications.tasks.beat_heart", timedelta(minutes=1), "maintenance")


def test_every_rule_says_how_bad_it_is_and_what_to_do() -> None:
    for rule in rules():
        assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"] in ({"severity": "page"}, {"severity": "warn"})
        assert rule["annotations"].keys() == {"summary", "runbook"}
        assert re.fullmatch(r"\d+[smh]", rule.get("for", "0s"))
    assert len({rule["alert"] for rule in rules()}) == len(rules())


def test_no_two_panels_stand_in_one_place() -> None:
    dashboard = json.loads((FOLDER / "grafana/dashboards/nook-link.json").read_text(encoding="utf-8"))
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in dashboard["panels"]]

    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(places)
