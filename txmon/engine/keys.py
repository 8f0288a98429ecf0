"""Codes for window keys and for the values that features compare, over all batches.

Accounts share one domain, so that payer, payee and both sides of a leg have one code. Entity and mode
are part of every code: windows never mix them. Owns the interners; knows nothing of windows.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pyarrow as pa

from txmon.engine.frames import Frame, LegFrame
from txmon.engine.interner import Codes, PairInterner, TextInterner
from txmon.rules.ir import Column, Expr, On, Unit
from txmon.rules.vec import Vec

_ACCOUNT_COLUMNS = frozenset({"payer", "payee", "account", "counterparty"})


def domain_of(column: str) -> str:
    """Name of the domain that a column's codes belong to."""
    return "account" if column in _ACCOUNT_COLUMNS else column


@lru_cache(maxsize=4096)
def _value_domain(expr: Expr) -> str:
    """Name of the domain of an expression's values."""
    return f"value:{expr}"


class KeySpace:
    """All interners of an engine."""

    def __init__(self) -> None:
        self.texts: dict[str, TextInterner] = {}
        self.pairs: dict[str, PairInterner] = {}
        self._scopes = TextInterner()

    def scopes(self, frame: Frame) -> Codes:
        """Code of (entity, mode) by row."""
        if isinstance(frame, LegFrame):
            return self.scopes(frame.parent)[frame.event]
        found: Codes | None = frame.memo.get("scopes")
        if found is None:
            found = frame.memo["scopes"] = self._scope_codes(frame)
        return found

    def _scope_codes(self, frame: Frame) -> Codes:
        entity, mode = frame.vec("entity", Unit.TEXT), frame.vec("mode", Unit.TEXT)
        if (
            len(entity.text) == 1
            and len(mode.text) == 1
            and entity.ok is True
            and mode.ok is True
            and frame.length
        ):
            text = f"{entity.text[0]}\n{mode.text[0]}"
            return np.repeat(self._scopes.codes(pa.array([text])), frame.length)
        columns = (frame.column(name).to_pylist() for name in ("entity", "mode"))
        joined = [f"{e}\n{m}" for e, m in zip(*columns, strict=True)]
        return self._scopes.codes(pa.array(joined, pa.string()))

    def column_codes(self, frame: Frame, column: str) -> Codes:
        """Codes of a text column, remembered with the frame."""
        key = ("codes", column)
        found: Codes | None = frame.memo.get(key)
        if found is None:
            if isinstance(frame, LegFrame) and frame.of_event(column):
                found = self.column_codes(frame.parent, column)[frame.event]
            else:
                found = self._codes(frame, domain_of(column), frame.column(column))
            frame.memo[key] = found
        return found

    def key_codes(self, frame: Frame, key: tuple[str, ...]) -> Codes:
        """Codes of a window key of one or more columns, -1 where any of them is null."""
        codes = self.column_codes(frame, key[0])
        for column in key[1:]:
            memo = ("pair", key)
            if memo in frame.memo:
                pair: Codes = frame.memo[memo]
                return pair
            other = self.column_codes(frame, column)
            known = (codes >= 0) & (other >= 0)
            joined = np.full(len(codes), -1, np.int64)
            words = np.ascontiguousarray(np.stack([codes[known], other[known]], axis=1))
            interner = self.pairs.setdefault("+".join(key), PairInterner())
            joined[known] = interner.codes(words)[0]
            codes = frame.memo[memo] = joined
        return codes

    def value_codes(self, frame: Frame, expr: Expr) -> Codes:
        """Codes of a text expression's values, for distinct counts and first, last and lag."""
        if isinstance(expr, Column):
            return self.column_codes(frame, expr.name)
        return self._codes(frame, _value_domain(expr), frame.shared.evaluate(expr, frame))

    def value_texts(self, expr: Expr, codes: Codes) -> Vec:
        """Texts of codes that `value_codes` gave."""
        name = domain_of(expr.name) if isinstance(expr, Column) else _value_domain(expr)
        return self.texts.setdefault(name, TextInterner()).vec(codes)

    def _codes(self, frame: Frame, domain: str, values: pa.Array) -> Codes:
        interner = self.texts.setdefault(domain, TextInterner())
        scopes = self.scopes(frame)
        first = int(scopes[0]) if len(scopes) else 0
        if (scopes == first).all():
            return interner.codes(values, first)
        codes = np.full(len(values), -1, np.int64)
        for scope in np.unique(scopes):
            rows = np.flatnonzero(scopes == scope)
            codes[rows] = interner.codes(values.take(pa.array(rows)), int(scope))
        return codes

    def snapshot(self) -> dict[str, np.ndarray]:
        """Return every interner's content."""
        arrays: dict[str, np.ndarray] = {}
        for kind, interners in (("text", self.texts), ("pair", self.pairs), ("scope", {"": self._scopes})):
            for name, interner in interners.items():
                arrays |= {f"{kind}|{name}|{k}": v for k, v in interner.snapshot().items()}
        return arrays

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Replace the content by a snapshot's."""
        self.texts, self.pairs = {}, {}
        parts: dict[tuple[str, str], dict[str, np.ndarray]] = {}
        for name, array in arrays.items():
            kind, rest = name.split("|", 1)
            domain, part = rest.rsplit("|", 1)
            parts.setdefault((kind, domain), {})[part] = array
        for (kind, domain), content in parts.items():
            interner: TextInterner | PairInterner
            if kind == "pair":
                interner = self.pairs[domain] = PairInterner()
            elif kind == "text":
                interner = self.texts[domain] = TextInterner()
            else:
                interner = self._scopes
            interner.restore(content)


def describe_key(on: On, key: tuple[str, ...], level: int) -> str:
    """Name of a group in snapshots and messages."""
    return f"{on}:{'+'.join(key)}:{level}"
