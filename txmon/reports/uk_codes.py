"""The glossary codes of the UK's financial intelligence unit, and which typologies they stand for.

The unit renews its list; `Options.extra["uk_codes"]` adds codes that are newer than this one.
"""

from __future__ import annotations

import re
from typing import Final

CODE: Final = re.compile(r"\bXX[A-Z0-9]{1,6}XX\b")
NONE_APPLY: Final = "No glossary code applies"

TRAFFICKING, IMMIGRATION, ADULTS, CHILDREN = "XXMSHTXX", "XXOICXX", "XXV2XX", "XXV3XX"
RETURN_TO_VICTIM, RETURN_TO_GOVERNMENT = "XXVICTXX", "XXGVTXX"

KNOWN: Final = frozenset(
    {
        TRAFFICKING,
        IMMIGRATION,
        ADULTS,
        CHILDREN,
        RETURN_TO_VICTIM,
        RETURN_TO_GOVERNMENT,
        "XXTEUKXX",
        "XXTEOSXX",
        "XXF1XX",
        "XXF2XX",
        "XXF3XX",
        "XXF4XX",
        "XXF5XX",
        "XXF9XX",
        "XXD7XX",
        "XXD8XX",
        "XXD9XX",
        "XXILTXX",
        "XXFIREXX",
        "XXDRUXX",
        "XXPCPXX",
        "XXSNEXX",
        "XXHRCXX",
        "XXCVDXX",
        "XXGPSXX",
    }
)
TYPOLOGIES: Final = {
    "sexual-exploitation": TRAFFICKING,
    "human-trafficking": TRAFFICKING,
    "labour-exploitation": TRAFFICKING,
    "forced-marriage": TRAFFICKING,
    "organ-trafficking": TRAFFICKING,
    "illegal-adoption": CHILDREN,
    "child-exploitation": CHILDREN,
    "child-sexual-exploitation": CHILDREN,
    "sextortion": CHILDREN,
    "human-smuggling": IMMIGRATION,
}
