"""As-of profiles: what an event knows about its accounts and its merchant.

A profile event adds a version that holds only the fields it sets. An event reads, per field, the newest
value among versions that arrived before it and are not later than it in event time. Versions of one
entity form a chain ordered by time; each carries the fields as they stand, so a look-up stops at the
first version that is old enough. Owns the chains; which fields exist is said in `txmon.model.profile`.
"""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from txmon.engine.content import one_chunk
from txmon.engine.interner import TextInterner
from txmon.engine.state import I64, TIME_MIN
from txmon.jit import kernel
from txmon.model.profile import ProfileField, profile_fields
from txmon.rules.vec import Vec

UNSET = TIME_MIN
PREVIOUS, FOLLOWING, TIME, FIELDS = range(4)


@kernel
def _merge_from(versions: I64, width: int, v: int) -> None:
    """Recompute the fields as they stand, from version `v` to the newest of its chain."""
    while v >= 0:
        p = versions[v, PREVIOUS]
        for f in range(width):
            own = versions[v, FIELDS + f]
            if own != UNSET:
                versions[v, FIELDS + width + f] = own
            else:
                versions[v, FIELDS + width + f] = versions[p, FIELDS + width + f] if p >= 0 else UNSET
        v = versions[v, FOLLOWING]


@kernel
def _insert(versions: I64, newest: I64, v: int, entity: int) -> None:
    """Link version `v` into the chain of its entity, after everything that is not later."""
    after = np.int64(-1)
    p = newest[entity]
    while p >= 0 and versions[p, TIME] > versions[v, TIME]:
        after = p
        p = versions[p, PREVIOUS]
    versions[v, PREVIOUS] = p
    versions[v, FOLLOWING] = after
    if p >= 0:
        versions[p, FOLLOWING] = v
    if after >= 0:
        versions[after, PREVIOUS] = v
    else:
        newest[entity] = v


@kernel
def _run(versions: I64, newest: I64, first: int, setter: I64, roles: I64, time: I64, out: I64) -> None:
    """Walk a batch: `setter[i]` is the entity that row i sets (its version is the next unused one), else -1.

    `roles` is (roles, rows): entities to look up; `out` is (roles, rows, fields).
    """
    width = (versions.shape[1] - FIELDS) // 2
    v = first
    for i in range(time.shape[0]):
        for r in range(roles.shape[0]):
            e = roles[r, i]
            if e < 0:
                continue
            p = newest[e]
            while p >= 0 and versions[p, TIME] > time[i]:
                p = versions[p, PREVIOUS]
            if p >= 0:
                for f in range(width):
                    out[r, i, f] = versions[p, FIELDS + width + f]
        if setter[i] >= 0:
            _insert(versions, newest, v, setter[i])
            _merge_from(versions, width, v)
            v += 1


class ProfileBook:
    """Versions of all accounts, or of all merchants."""

    def __init__(self, entity: str) -> None:
        self.entity = entity
        self.fields: tuple[ProfileField, ...] = profile_fields(entity)
        self.texts = TextInterner()  # values of all text fields, and the texts of holders
        self._width = len(self.fields) + 1  # the last one is the holders' code
        self._versions = np.empty((0, FIELDS + 2 * self._width), np.int64)
        self._used = 0
        self._newest = np.empty(0, np.int64)

    @property
    def empty(self) -> bool:
        """True while no profile event has come."""
        return self._used == 0

    def look_up(self, setter: I64, roles: I64, time: I64, events: pa.Table) -> I64 | None:
        """Walk a batch; returns (roles, rows, fields + holders) of codes and numbers, UNSET where unknown.

        `setter` (rows) and `roles` (roles, rows) are entity codes, -1 for none. None if nothing is known
        about anyone yet.
        """
        rows = np.flatnonzero(setter >= 0)
        if len(rows) == 0 and self.empty:
            return None
        self._reserve(len(rows), int(max(setter.max(initial=-1), roles.max(initial=-1))) + 1)
        first = self._used
        if len(rows):
            self._versions[first : first + len(rows), TIME] = time[rows]
            self._versions[first : first + len(rows), FIELDS : FIELDS + self._width] = self._values(
                events, rows, time
            )
            self._used += len(rows)
        out = np.full((len(roles), len(time), self._width), UNSET, np.int64)
        _run(self._versions, self._newest, first, setter, roles, time, out)
        return out

    def field_vec(self, looked_up: I64, name: str) -> Vec:
        """Return one field of one role (rows, fields) in its physical form."""
        index = next(i for i, f in enumerate(self.fields) if f.name == name)
        raw = looked_up[:, index]
        ok = raw != UNSET
        kind = self.fields[index].type
        if kind == "text":
            return self.texts.vec(np.where(ok, raw, -1))
        return Vec(raw == 1 if kind == "bool" else np.where(ok, raw, 0), ok)

    def holders(self, looked_up: I64) -> I64:
        """Return the code of the holders' text per row, -1 where unknown."""
        raw = looked_up[:, self._width - 1]
        return np.where(raw == UNSET, -1, raw)

    def _reserve(self, versions: int, entities: int) -> None:
        if self._used + versions > len(self._versions):
            size = max(256, self._used + versions, int(len(self._versions) * 1.6))
            grown = np.empty((size, self._versions.shape[1]), np.int64)
            grown[: self._used] = self._versions[: self._used]
            self._versions = grown
        if entities > len(self._newest):
            longer = np.full(max(entities, int(len(self._newest) * 1.6)), -1, np.int64)
            longer[: len(self._newest)] = self._newest
            self._newest = longer

    def _values(self, events: pa.Table, rows: I64, time: I64) -> I64:
        """Fields that the profile events at `rows` set, UNSET where they say nothing."""
        part = events.take(pa.array(rows))
        attributes = [dict(a) if a else {} for a in one_chunk(part.column("attributes")).to_pylist()]
        kinds = part.column("kind").to_pylist()
        out = np.full((len(rows), self._width), UNSET, np.int64)
        for j, field in enumerate(self.fields):
            if field.name in ("opened_time", "onboarded_time"):
                start = "account.opened" if field.name == "opened_time" else "merchant.onboarded"
                chosen = np.array([k == start for k in kinds], np.bool_)
                out[chosen, j] = time[rows[chosen]]
                continue
            texts = (
                part.column(field.column).to_pylist()
                if field.column
                else [a.get(field.name) for a in attributes]
            )
            out[:, j] = self._encode(texts, field)
        out[:, -1] = self._holder_codes(part)
        return out

    def _encode(self, texts: list[str | None], field: ProfileField) -> I64:
        if field.type == "text":
            codes = self.texts.codes(pa.array(texts, pa.string()))
            return np.where(codes < 0, UNSET, codes)
        read = {"bool": _read_bool, "int": _read_int}[field.type]
        return np.array([read(t) for t in texts], np.int64)

    def _holder_codes(self, part: pa.Table) -> I64:
        holders = one_chunk(part.column("holders"))
        if holders.null_count == len(holders):
            return np.full(len(holders), UNSET, np.int64)
        texts = [None if h is None else holder_text(h) for h in holders.to_pylist()]
        codes = self.texts.codes(pa.array(texts, pa.string()))
        return np.where(codes < 0, UNSET, codes)

    def snapshot(self) -> dict[str, np.ndarray]:
        """Return the chains and the texts."""
        arrays = {"versions": self._versions[: self._used].copy(), "newest": self._newest.copy()}
        return arrays | {f"texts.{k}": v for k, v in self.texts.snapshot().items()}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Replace the content by a snapshot's."""
        self._versions = arrays["versions"].copy()
        self._used = len(self._versions)
        self._newest = arrays["newest"].copy()
        self.texts.restore({k[6:]: v for k, v in arrays.items() if k.startswith("texts.")})


def holder_text(holders: list[dict[str, object]]) -> str:
    """Return holders as one text: ``party|role|from|to`` by line, sorted; times in microseconds or empty."""
    lines = []
    for h in holders:
        start, end = (_stamp(h[k]) for k in ("valid_from", "valid_to"))
        lines.append(f"{h['party']}|{h['role'] or 'owner'}|{start}|{end}")
    return "\n".join(sorted(lines))


def current_holders(text: str, time_us: int) -> list[tuple[str, str]]:
    """Return (party, role) of a holders' text at a time, sorted."""
    found = []
    for line in text.split("\n") if text else []:
        party, role, start, end = line.rsplit("|", 3)
        if (not start or int(start) <= time_us) and (not end or time_us < int(end)):
            found.append((party, role))
    return found


def _stamp(value: object) -> str:
    if isinstance(value, datetime):
        whole = value.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
        return str(whole.days * 86_400_000_000 + whole.seconds * 1_000_000 + whole.microseconds)
    return ""


def _read_bool(text: str | None) -> int:
    return UNSET if text is None else int(text.strip().lower() in ("true", "1", "yes"))


def _read_int(text: str | None) -> int:
    # A value that is no number sets nothing: the field stays as it was, the event keeps its text.
    try:
        return UNSET if text is None else int(text)
    except ValueError:
        return UNSET
