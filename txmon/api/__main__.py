"""Writes the contracts api/openapi.json (or FILE) and streams/asyncapi.yaml: `python -m txmon.api [FILE]`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from txmon.api import document
from txmon.api.channels import asyncapi_text


def main(arguments: list[str]) -> None:
    """Write the OpenAPI document, and the AsyncAPI document if no file is named."""
    path = Path(arguments[0]) if arguments else Path("api") / "openapi.json"
    path.write_text(json.dumps(document(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
    if not arguments:
        (Path("streams") / "asyncapi.yaml").write_text(asyncapi_text(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
