"""What is asked in the worlds of the growth: the same questions over HTTP and as statements alone."""

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

TYPE: Final = "measured"
FEW, MANY, SHARED, NOTHING = "owner of few", "owner of many", "2,000 shares", "sees nothing"
CALLERS: Final = {
    FEW: "user1@example.com",
    MANY: "user2@example.com",
    SHARED: "user3@example.com",
    NOTHING: "user4@example.com",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: where it is put, with what parameters."""

    name: str
    path: str = "/resources"
    parameters: dict[str, str] = field(default_factory=dict)
    grows: str = ""
    """What of others' rows it finds more of in a larger world, if it does."""

    def url(self, resource: str) -> str:
        """Return the address; `resource` is whose detail is asked for."""
        path = "/api/v1" + self.path.format(id=resource)
        return f"{path}?{urlencode(self.parameters)}" if self.parameters else path


_OF_TYPE: Final = {"type": TYPE}
GROUPED: Final = "region"
SUMMED: Final = "total"
BARE: Final = "the rows of the aggregate, by their ids alone"
"""What PostgreSQL takes to read and sum the same rows when nothing is asked but their ids: no more can be gained."""

ASKED: Final = (
    Asked("detail", "/resources/{id}"),
    Asked("list of 20 with total"),
    Asked("cursor page", parameters={"cursor": ""}),
    Asked("x-index: equal", parameters={**_OF_TYPE, "data.number": "N-403"}),
    Asked("x-index: range", parameters={**_OF_TYPE, "data.total__gte": "100", "data.total__lt": "110"}),
    Asked("x-index: equal, every tenth row", parameters={**_OF_TYPE, "data.region": "r3"}, grows="1,000 to 100,000"),
    Asked("x-index: sort", parameters={**_OF_TYPE, "sort": "-data.total"}),
    Asked("index of all data: equal", parameters={**_OF_TYPE, "data.word": "w403"}),
    Asked("full text", parameters={"q": "w403"}),
    Asked("full text: every tenth row", parameters={"q": "c3"}, grows="1,000 to 100,000"),
    Asked(
        "aggregate",
        "/resources/aggregate",
        {**_OF_TYPE, "group": f"data.{GROUPED}", "measures": f"count,sum:data.{SUMMED}"},
    ),
)
