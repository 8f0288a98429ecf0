"""Ids of Redis stream entries, ``ms-seq``, as one growing 64-bit position, and back.

42 bits hold the milliseconds (to the year 2109), 21 bits the number within one: every id that Redis makes
itself fits, and then the way there and back loses nothing. Entries beyond (an id made by hand, or over two
million in one millisecond of a clock that went back) share the last position that fits: reading on behind it
brings them again, which has no effect on events, and never passes one over.
"""

from __future__ import annotations

from typing import NamedTuple

SEQ_BITS = 21
_SEQ_MAX = (1 << SEQ_BITS) - 1
_MS_MAX = (1 << (63 - SEQ_BITS)) - 1


class EntryId(NamedTuple):
    """Both numbers may have 64 bits; ordered as Redis orders them."""

    ms: int
    seq: int

    @property
    def text(self) -> str:
        """The id as Redis writes it."""
        return f"{self.ms}-{self.seq}"


BEFORE_ALL = EntryId(0, 0)


def parse_id(text: bytes) -> EntryId:
    """Read an id that Redis wrote."""
    ms, _, seq = text.partition(b"-")
    return EntryId(int(ms), int(seq))


def last_alike(entry: EntryId) -> str:
    """Return the highest id that shares the position of an entry; its own but for ids that do not fit."""
    if entry.ms >= _MS_MAX and entry.seq >= _SEQ_MAX:
        return "+"
    return entry.text if entry.seq < _SEQ_MAX else f"{entry.ms}-{(1 << 64) - 1}"


def position_of(entry: EntryId) -> int:
    """Return the position; never less than that of an entry before."""
    if entry.ms > _MS_MAX:
        return (_MS_MAX << SEQ_BITS) | _SEQ_MAX
    return (entry.ms << SEQ_BITS) | min(entry.seq, _SEQ_MAX)


def id_of(position: int) -> EntryId:
    """Return the id behind which to read on."""
    return EntryId(position >> SEQ_BITS, position & _SEQ_MAX)
