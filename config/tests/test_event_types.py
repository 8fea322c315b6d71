"""What webhooks and filters can be asked for is what the code publishes."""

import re

from config.tests.sources import APPS, files
from core.event_types import FAMILIES, TYPES, family_of

PUBLISHED = re.compile(r"""\bpublish(?:_many)?\(\s*f?"(?P<type>[a-z_]+\.[a-z_{}.]+)\"""")


def published() -> set[str]:
    sources = [
        path for path in files(".py") if path.parts and "tests" not in path.parts and "migrations" not in path.parts
    ]
    ours = [path for path in sources if any(f"/{app}/" in str(path) for app in APPS)]
    return {match["type"] for path in ours for match in PUBLISHED.finditer(path.read_text(encoding="utf-8"))}


def test_every_family_that_is_published_can_be_asked_for() -> None:
    families = {type_.partition(".")[0] for type_ in published()}

    assert families - FAMILIES.keys() == set(), "add them to core/event_types.py"
    assert "resource" in families


def test_every_type_is_of_a_family() -> None:
    assert {family_of(type_) for type_ in TYPES} - FAMILIES.keys() == set()
