"""`python -m maxft_client`: the client alone, where nothing else of MaxFT is installed."""

from __future__ import annotations

import sys

from maxft_client.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
