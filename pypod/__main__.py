"""`python -m pypod`."""

from __future__ import annotations

import sys

from pypod.cli import main

if __name__ == "__main__":
    sys.exit(main())
