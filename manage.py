#!/usr/bin/env python
"""The command `maxft` in a checkout, where it is not installed."""

from maxft_site.__main__ import main

if __name__ == "__main__":
    main()
