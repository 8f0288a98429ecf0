"""What no bundle passes on, whoever it is for: pictures in texts, and in cases about children addresses.

A text with bytes of a picture or film is replaced by their hash, size and the duty to report. Where an alert
belongs to a case about the exploitation of children, an address of the web is replaced by a keyed hash:
equal where the address is equal, leading nowhere. Rules are not evidence and are shown as they were. Owns
these replacements.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from txmon.cases.sight import about_children
from txmon.evidence.tables import EVENTS, HITS
from txmon.model import pictures
from txmon.model.webtext import ADDRESS
from txmon.store import Store


def of_children(store: Store, alert_id: str) -> bool:
    """Whether an alert belongs to a case about the sexual exploitation of children, open or closed."""
    with store.read() as conn:
        return bool(about_children(conn, [alert_id]))


class Seal:
    """Replaces what no bundle passes on; counts what was replaced."""

    def __init__(self, secret: bytes, *, addresses: bool) -> None:
        """Make one; `addresses` says whether addresses of the web go, too."""
        self._secret, self._addresses = secret, addresses
        self.replaced: Counter[str] = Counter()

    def text(self, text: str) -> str:
        """Return a text without pictures and, where they go, addresses."""
        withheld = pictures.found_in(text.encode("utf-8", "surrogatepass"))
        if withheld is not None:
            self.replaced["pictures"] += 1
            return withheld.mask()
        return ADDRESS.sub(lambda match: self._hashed(match[0]), text) if self._addresses else text

    def _hashed(self, address: str) -> str:
        self.replaced["addresses"] += 1
        return "url_" + hmac.new(self._secret, address.encode(), hashlib.sha256).hexdigest()[:40]

    def value(self, value: Any) -> Any:
        """Return any value with its texts replaced; names of fields stay."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: self.value(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self.value(each) for each in value)
        return value

    def events(self, events: pa.Table) -> tuple[pa.Table, list[bool]]:
        """Return events without them, and which of them are not told whole."""
        rows = events.to_pylist()
        made = [self.value(row) for row in rows]
        return pa.Table.from_pylist(made, schema=EVENTS), [a != b for a, b in zip(made, rows, strict=True)]

    def hits(self, hits: pa.Table) -> pa.Table:
        """Return hits without them."""
        return pa.Table.from_pylist(self.value(hits.to_pylist()), schema=HITS)

    def told(self) -> list[str]:
        """Return what was replaced, for the bundle itself."""
        found = []
        if self.replaced["pictures"]:
            found.append(
                f"{self.replaced['pictures']} texts held a picture or film: only hash and size are told. "
                f"{pictures.DUTY}."
            )
        if self.replaced["addresses"]:
            found.append(
                f"{self.replaced['addresses']} addresses of the web are told as keyed hashes: the alert "
                "belongs to a case about the exploitation of children."
            )
        return found
