"""Flattens nested JSON objects to the fields of a feed.

Owns the walk through objects and lists; numbers stay the text they were read as.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from txmon.streams.paths import NUMBER, Nested, Path
from txmon.streams.readers.jsonline import cell_text


def flatten(row: Mapping[str, object], nested: Nested) -> dict[str, str | None]:
    """Return every field of the feed as text, null where its paths lead nowhere."""
    return {name: _first(row, paths) for name, paths in nested.paths.items()}


def _first(row: Mapping[str, object], paths: Sequence[Path]) -> str | None:
    for path in paths:
        found = "1" if path.special == NUMBER else _find(row, path)
        if found:
            return found
    return None


def _find(row: Mapping[str, object], path: Path) -> str | None:
    here: object = row
    for step in (*path.steps, path.attribute) if path.attribute else path.steps:
        if isinstance(here, list):
            here = here[0] if here else None
        if not isinstance(here, dict):
            return None
        here = here.get(step)
    if isinstance(here, list):
        if path.every:
            return " ".join(t for t in map(cell_text, here) if t) or None
        here = here[0] if here else None
    return cell_text(here)
