"""The options of `manage.py up`: each is an environment variable too, and the settings read only that."""

import os
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Final

COMMAND: Final = "up"

_VALUES: Final = {
    "--host": ("NOOK_HOST", "Address to listen at."),
    "--port": ("NOOK_PORT", "Port of the web server; the live server takes the next one."),
    "--data-dir": ("NOOK_DATA_DIR", "Folder of the embedded servers and local files."),
    "--workers": ("NOOK_WORKERS", "How many web processes; 0 is one per core."),
}


def add_options(parser: ArgumentParser) -> None:
    """Add the options of `up` to a parser."""
    for option, (variable, help_text) in _VALUES.items():
        parser.add_argument(option, metavar=variable, help=f"{help_text} Also the variable {variable}.")
    parser.add_argument("--no-demo", action="store_true", help="Make no demo data. Also NOOK_DEMO=false.")


def export_options(arguments: Sequence[str]) -> None:
    """Write the options of `up` to the environment; call it before anyone reads the settings."""
    if list(arguments[:1]) != [COMMAND]:
        return
    parser = ArgumentParser(prog=f"manage.py {COMMAND}", add_help=False)
    add_options(parser)
    given, _others = parser.parse_known_args(arguments[1:])
    for option, (variable, _help) in _VALUES.items():
        value = getattr(given, option.strip("-").replace("-", "_"))
        if value is not None:
            os.environ[variable] = value
    if given.no_demo:
        os.environ["NOOK_DEMO"] = "false"
