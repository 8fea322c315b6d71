"""The language of wordings: any text is read or refused at once, and what is read says nothing but its variables."""

import time
from contextlib import suppress
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifications.markup import MOST_RENDERED, MarkupFault, read

VARIABLES = frozenset({"link", "name"})
PIECES = [
    *("{{ link }}", "{{ name }}", "{{name|linebreaksbr}}", "{% if name %}", "{% if not link %}", "{% else %}"),
    *("{% endif %}", "{{", "}}", "{%", "%}", "{#", "<p>", "</p>", '<a href="', '">', "<a title='", "'>", "<", ">", '"'),
    *("<br/>", "<script>", "{{ link.x }}", "{% for a in b %}", "https://", "&amp;", "\n", " ", "x", "\ue000", "\0"),
]
SOURCES = st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=40).map("".join)
HOSTILE = st.text(alphabet="<>\"'&=/ \njavscript:pon{}%x", max_size=60)


class Tags(HTMLParser):
    """Collects what a reader of HTML sees as tags and attributes, addresses with their values."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, ...]] = []
        self.addresses: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, *(name for name, _ in attrs)))
        self.addresses += [value or "" for name, value in attrs if name in {"href", "src"}]


@settings(max_examples=400)
@given(source=SOURCES, name=HOSTILE, link=HOSTILE, is_html=st.booleans())
def test_any_source_is_read_or_refused(source: str, name: str, link: str, is_html: bool) -> None:
    begun = time.process_time()
    try:
        markup = read(source, variables=VARIABLES, is_html=is_html)
    except MarkupFault:
        return

    text = markup.fill({"name": name, "link": link})

    assert len(text) <= MOST_RENDERED
    assert time.process_time() - begun < 0.5


@settings(max_examples=400)
@given(source=SOURCES, name=HOSTILE, link=HOSTILE)
def test_no_value_changes_which_tags_there_are(source: str, name: str, link: str) -> None:
    begun = time.process_time()
    try:
        markup = read(source, variables=VARIABLES, is_html=True)
    except MarkupFault:
        return
    plain = {"name": "x" if name else "", "link": "x" if link else ""}

    tame, hostile = Tags(markup.fill(plain)), Tags(markup.fill({"name": name, "link": link}))

    breaks = [tag for tag in hostile.seen if tag != ("br",)]
    assert breaks == [tag for tag in tame.seen if tag != ("br",)]
    assert all(not address or address.startswith(("http://", "https://", "mailto:")) for address in hostile.addresses)
    assert time.process_time() - begun < 0.5


@pytest.mark.parametrize(
    "source",
    [
        "{{" * 25_000,
        "{" * 50_000,
        "<" * 50_000,
        "<a " * 16_000,
        "<a" + " x" * 24_000,
        "<a" + " " * 49_000 + "x",
        '<a title="' * 5_000,
        "<a title='x'" * 4_000,
        "{% if name %}" * 3_800,
        "{{ name }}{% if name %}a{% endif %}" * 1_400,
        "\n" * 49_000 + "{{ nme }}",
    ],
    ids=range(11),
)
def test_the_longest_sources_take_no_time(source: str) -> None:
    begun = time.process_time()

    for is_html in (False, True):
        with suppress(MarkupFault):
            read(source, variables=VARIABLES, is_html=is_html).fill({"name": "Ada"})

    assert time.process_time() - begun < 1


def test_a_fault_names_its_line() -> None:
    with pytest.raises(MarkupFault, match=r"^Line 3: there is no variable nme; there are link, name\.$"):
        read("a\n{{ name }}\n{{ nme }}", variables=VARIABLES)
    with pytest.raises(MarkupFault, match=r"^Line 2: <video> cannot stand here"):
        read("<p>\n<video>", variables=VARIABLES, is_html=True)
