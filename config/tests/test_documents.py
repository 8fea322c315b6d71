"""Every link in the documents leads somewhere, and every page can be reached from the README."""

import re
from collections.abc import Iterator
from pathlib import Path

from config.tests.sources import ROOT, files, name_of
from core.denormalised import registered

LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (?P<title>.+)$", re.MULTILINE)
# Found by the platform that shows it, not by a link.
REACHED_OTHERWISE = {".github/pull_request_template.md"}


def documents() -> list[Path]:
    return list(files(".md"))


def prose(path: Path) -> str:
    return FENCE.sub("", path.read_text(encoding="utf-8"))


def links(path: Path) -> Iterator[tuple[Path, str]]:
    for match in LINK.finditer(prose(path)):
        target, _, anchor = match["target"].partition("#")
        if "://" not in match["target"] and not target.startswith("mailto:"):
            yield ((path.parent / target).resolve() if target else path), anchor


def anchors(path: Path) -> set[str]:
    titles = [match["title"] for match in HEADING.finditer(prose(path))]
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def test_every_link_leads_to_a_file_and_a_heading_that_are_there() -> None:
    broken = [
        f"{name_of(path)}: {target.name}#{anchor}"
        for path in documents()
        for target, anchor in links(path)
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target))
    ]

    assert broken == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        waiting += [target for target, _ in links(page) if target.suffix == ".md" and target not in reached]

    assert {name_of(page) for page in documents() if page not in reached} - REACHED_OTHERWISE == set()


def test_every_runbook_that_an_alert_names_is_there() -> None:
    alerts = (ROOT / "deploy/monitoring/alerts.yml").read_text(encoding="utf-8")

    for page, anchor in re.findall(r"runbook: (\S+)#(\S+)", alerts):
        assert anchor in anchors(ROOT / page)


def test_every_column_that_repeats_another_stands_in_the_table() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.partition("### Denormalised columns")[2].partition("## ")[0]
    named = " ".join(line.split("|")[1] for line in table.splitlines() if line.startswith("| `"))

    missing = [one.column for one in registered() if f"`{one.column}`" not in named]
    repeated = [one.column for one in registered() if one.repeats not in table]

    assert missing == []
    assert repeated == []
