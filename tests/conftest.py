"""For all tests. The checkout comes last on the path: `pypod` is the installed package, `tests.images` is found here."""

from __future__ import annotations

import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))
