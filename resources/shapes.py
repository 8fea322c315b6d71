"""What the statement of a read depends on, apart from what each request brings: its shape."""

from dataclasses import dataclass, replace
from typing import Final

from core.api.pagination import SortKey
from core.api.query import DEFAULT_PER_PAGE
from resources.access import Asker, Level
from resources.data_query import DataFilter
from resources.models import Form
from resources.query import RANK
from resources.schemas.values import Property


@dataclass(frozen=True, slots=True)
class Shape:
    """What a statement depends on, whoever asks and for whatever values."""

    asker: Asker
    form: Form
    fields: tuple[str, ...] = ()
    includes: tuple[str, ...] = ()
    in_bin: bool = False
    by_link: bool = False
    """Whether a link has let the asker in, who then needs no other reason to read."""

    @property
    def sees_little(self) -> bool:
        """Return whether each reason to read has to lead to the rows."""
        return self.form is Form.UNION and self.asker.user is not None and not self.asker.sees_everything


@dataclass(frozen=True, slots=True)
class ListShape:
    """What the statement of a list depends on beyond that.

    The length of a page is part of it: the planner takes a limit that it does not know for a tenth of all rows.
    """

    shape: Shape
    sort: tuple[SortKey, ...]
    per_page: int = DEFAULT_PER_PAGE
    filters: frozenset[str] = frozenset()
    is_search: bool = False
    alike: bool = False
    access: Level = Level.NONE
    """The level that the asker has on each row; NONE for any."""
    type_key: str = ""
    """The type whose data is asked about: a constant of the statement, since an index of the type stands on it."""
    data: tuple[DataFilter, ...] = ()
    kept_since: int = 0
    """Since which version of the type's schema shares keep all that is asked of data; 0 where they do not."""
    by: Property | None = None
    """What of the data the rows are sorted by, if they are; those without it come last, whichever the direction."""

    @property
    def is_ranked(self) -> bool:
        """Return whether the list is sorted by rank alone."""
        return self.sort[0].path == RANK


LINKED: Final = Shape(Asker.holding(frozenset()), Form.OR, includes=("owner",), by_link=True)
"""What a link shows: what anonymous readers see, with the owner as everyone may see them."""


def asked_by(listed: ListShape, asker: Asker) -> ListShape:
    """Return the same list, asked by someone who is known."""
    return replace(listed, shape=replace(listed.shape, asker=asker))
