"""Pictures for the documentation: the first screen of a page, in few colours so that they are small.

They change with the day, so a run keeps them aside; `TXMON_TEST_KEEP=docs/console pytest tests/console` puts them,
and what was measured, where the documentation shows them.
"""

from __future__ import annotations

import os
import tempfile
from functools import cache
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

_COLOURS = 255


@cache
def kept() -> Path:
    """The folder that pictures and measures go to."""
    place = os.environ.get("TXMON_TEST_KEEP")
    folder = Path(place) if place else Path(tempfile.mkdtemp(prefix="txmon-console-"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def keep(page: Page, name: str) -> None:
    """Take a picture of what is on the screen and keep it."""
    file = kept() / name
    with Image.open(BytesIO(page.screenshot())) as taken:
        taken.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)
