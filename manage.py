#!/usr/bin/env python
"""The project's commands: `up` starts everything."""

import os
import sys
from argparse import ArgumentParser


def main() -> None:
    choose_data_dir(sys.argv[1:])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "maxft_site.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


def choose_data_dir(argv: list[str]) -> None:
    """`--data-dir` decides what the settings say, so it is read before them."""
    parser = ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--data-dir")
    given, _ = parser.parse_known_args(argv)
    if given.data_dir:
        os.environ["MAXFT_DATA_DIR"] = given.data_dir


if __name__ == "__main__":
    main()
