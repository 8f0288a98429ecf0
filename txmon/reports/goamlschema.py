"""The authority's own schema: loaded, its known faults repaired in memory, and asked about a report.

The schemas that units export write 26 name patterns as ``^...$``; in XSD these two are letters, so that every
real name would be refused. They are taken off when the schema is read; the file is never changed. Who loads a
schema is told what was repaired.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from lxml import etree

from txmon.errors import ConfigError
from txmon.reports.formats import Finding

_XS = "{http://www.w3.org/2001/XMLSchema}"
_QUOTED_VALUE = re.compile(r"(The value|Character content|:) '.*?'(?= (is|has|of|other))", re.DOTALL)
_RANGE_FAULT = re.compile(r"(?<=\w-\w)-(\\?\+)\]")


@dataclass(frozen=True)
class Schema:
    """A schema that can be asked; `repaired` counts the patterns that were mended."""

    xsd: etree.XMLSchema
    repaired: int
    source: bytes  # the mended schema, for another validator

    def findings(self, root: etree._Element) -> list[Finding]:
        """Return what the schema finds wrong, by line; values are left out, they may be personal."""
        if self.xsd.validate(root):
            return []
        remedy = "mend the element, or write the report anew from the model"
        return [
            Finding(
                code="schema",
                path=(entry.path or "").lstrip("/") or "report",
                message=_QUOTED_VALUE.sub(r"\1 of this element", entry.message),
                remedy=remedy,
                line=entry.line,
            )
            for entry in cast(Any, self.xsd.error_log)
        ]


def load_schema(path: Path) -> Schema:
    """Return the schema of a file.

    Raises:
        ConfigError: the file cannot be read or is no XML schema.
    """
    try:
        stamp = path.stat()
    except OSError as error:
        raise ConfigError(
            f"the schema {path} cannot be read ({error.strerror}); give the path of an XSD"
        ) from error
    return _load(path, stamp.st_mtime_ns, stamp.st_size)


@lru_cache(maxsize=8)
def _load(path: Path, _mtime: int, _size: int) -> Schema:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        tree = etree.parse(str(path), parser)
        repaired = _repair(tree.getroot())
        return Schema(etree.XMLSchema(tree), repaired, etree.tostring(tree))
    except (OSError, etree.XMLSyntaxError, etree.XMLSchemaParseError) as error:
        raise ConfigError(f"{path} is no XML schema ({error}); give the one of the authority") from error


def _repair(root: etree._Element) -> int:
    """Mend patterns in place: anchors that XSD takes for letters, a hyphen that makes a range backwards."""
    count = 0
    for pattern in root.iter(f"{_XS}pattern"):
        value = str(pattern.get("value"))
        mended = value
        if value.startswith("^") and value.endswith("$"):
            mended = value[1:-1]
        mended = _RANGE_FAULT.sub(r"\1-]", mended)
        if mended != value:
            pattern.set("value", mended)
            count += 1
    return count
