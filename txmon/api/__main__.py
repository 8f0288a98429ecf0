"""Writes the contract: `python -m txmon.api [FILE]`, by default api/openapi.json."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from txmon.api import document


def main(arguments: list[str]) -> None:
    """Write the OpenAPI document."""
    path = Path(arguments[0]) if arguments else Path("api") / "openapi.json"
    path.write_text(json.dumps(document(), indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
