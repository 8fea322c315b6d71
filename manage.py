#!/usr/bin/env python
"""Run Nook Link's commands; `manage.py help` lists them."""

import os
import sys


def main() -> None:
    # Before any import of ours: the package `config` takes production for granted.
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.development")

    from django.core.management import execute_from_command_line

    from config.startup import explained
    from core.embedded.options import export_options

    export_options(sys.argv[1:])
    with explained():
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
