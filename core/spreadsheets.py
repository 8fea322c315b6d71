"""What a spreadsheet makes of a text: one that begins like a formula is run, so it is written behind an apostrophe.

`neutralised` and `original` undo each other for every text, so a file that was written by us reads back as it was.
"""

import re
from typing import Final

_LIKE_A_FORMULA: Final = re.compile(r"'*[=+\-@\t\r]")
_NEUTRALISED: Final = re.compile(r"'+[=+\-@\t\r]")


def neutralised(text: str) -> str:
    """Return the text with an apostrophe before it where a spreadsheet would take it for a formula."""
    return f"'{text}" if _LIKE_A_FORMULA.match(text) else text


def original(text: str) -> str:
    """Return the text that `neutralised` was given."""
    return text[1:] if text.startswith("'") and _NEUTRALISED.match(text) else text
