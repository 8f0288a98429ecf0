"""A decision of a person as a row of the journal: what, by whom, by which key, and why.

Owns its form; what a decision changes is its caller's part.
"""

from __future__ import annotations

import json
from typing import Any

from txmon.store import journal
from txmon.store.db import Tx
from txmon.store.identity import Principal


def decided(tx: Tx, what: str, by: Principal, **facts: Any) -> int:
    """Journal a decision; returns its row's number."""
    document = {"decision": what, "by": by.identity, "key": by.key_id} | facts
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return journal.append(tx, "decision", text.encode(), tx.clock.now_us()).seq
