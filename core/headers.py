"""Headers that this server makes itself, set without the checks that a stranger's words need."""

from django.http.response import ResponseHeaders


def put(headers: ResponseHeaders, name: str, value: str) -> None:
    """Set a header of ours: a constant, or made of digits and what was checked.

    Django encodes name and value and looks for line breaks each time: with ten headers, a tenth of a small answer.
    """
    headers._store[name.lower()] = (name, value)


def put_if_missing(headers: ResponseHeaders, name: str, value: str) -> None:
    """Set a header of ours where there is none of that name."""
    headers._store.setdefault(name.lower(), (name, value))
