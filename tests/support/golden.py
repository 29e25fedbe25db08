# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Golden files: what a function made once and was found right, kept as JSON beside the unit tests."""

from __future__ import annotations

import json
import os
import pathlib
from typing import Any

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "unit" / "golden"


def assert_golden(name: str, value: Any) -> None:
    """Compare a value with ``tests/unit/golden/<name>.json``.

    ``GOLDEN=write`` writes the file instead, to be read before it is committed.
    """
    path = GOLDEN / f"{name}.json"
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    if os.environ.get("GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"differs from {path.name}"
