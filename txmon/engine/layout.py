"""From a list of features over one key to the numbered layout that kernels run.

A *measure* is a pair (argument, filter); its bit in a row's mask says that the row counts for it. Equal
measures, windows and values are made once. Owns the numbering; never sees data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from txmon.engine import state as st
from txmon.rules.ir import Expr, Feature, Unit, Window

OPS: dict[str, int] = {
    "count": st.OP_COUNT,
    "count_distinct": st.OP_DISTINCT,
    "sum": st.OP_SUM,
    "avg": st.OP_AVG,
    "min": st.OP_MIN,
    "max": st.OP_MAX,
    "stddev_pop": st.OP_STDDEV_POP,
    "stddev_samp": st.OP_STDDEV_SAMP,
    "first": st.OP_FIRST,
    "last": st.OP_LAST,
    "lag": st.OP_LAG,
    "median": st.OP_QUANTILE,
    "quantile_cont": st.OP_QUANTILE,
}
CALENDARS = {"": st.CAL_SPAN, "month": st.CAL_MONTH, "prev_month": st.CAL_PREV_MONTH}
_FLOATS = (Unit.NUMBER, Unit.MONEY_F)
_CELLS = {"n": 1, "s": 2, "q": 2, "d": 1, "x": 1, "i": 1, "f": 1, "t": 1}
# parts of an entry that an operation reads, besides the count
_PARTS = {
    st.OP_COUNT: "",
    st.OP_DISTINCT: "d",
    st.OP_SUM: "s",
    st.OP_AVG: "s",
    st.OP_MIN: "i",
    st.OP_MAX: "x",
    st.OP_STDDEV_POP: "sq",
    st.OP_STDDEV_SAMP: "sq",
    st.OP_FIRST: "f",
    st.OP_LAST: "",
    st.OP_LAG: "",
    st.OP_QUANTILE: "t",
}
# operations that do not read how many rows an entry counts
_UNCOUNTED = frozenset({st.OP_DISTINCT, st.OP_FIRST, st.OP_LAST, st.OP_LAG})
_START_VALUE = {"x": -1, "i": -1, "t": -1}


@dataclass(frozen=True)
class Measure:
    """Rows that count (`where` true or absent, argument not null unless `nulls`) and their value."""

    arg: Expr | None
    where: Expr | None
    hits_rule: str | None = None
    nulls: bool = False

    @property
    def is_float(self) -> bool:
        """True if the value is a double."""
        return self.arg is not None and self.arg.unit in _FLOATS


@dataclass
class GroupLayout:
    """A `Layout` with the objects its numbers stand for."""

    features: tuple[Feature, ...]
    measures: list[Measure] = field(default_factory=list)
    values: list[Expr] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    summed: list[int] = field(default_factory=list)  # columns of `values` that are summed
    fresh_line: st.I64 = field(default_factory=lambda: np.zeros(0, np.int64))
    arrays: st.Layout | None = None

    @property
    def layout(self) -> st.Layout:
        """The arrays; set by `build_layout`."""
        if self.arrays is None:
            raise AssertionError("layout is not built")
        return self.arrays


def measure_of(feature: Feature) -> Measure:
    """The measure of a feature; lag counts rows whose value is null, too."""
    return Measure(feature.arg, feature.where, feature.hits_rule, feature.agg == "lag")


def _window(feature: Feature) -> Window:
    w = feature.window
    return Window(w.name.removesuffix("_prior"), w.on, w.key, w.span_us, w.calendar)


def _signed(word: int) -> int:
    """The same 64 bits as a signed number."""
    return word - (1 << 64) if word >> 63 else word


class _Columns:
    """Hands out consecutive cells of a line, remembering the start value of each."""

    def __init__(self, start: int) -> None:
        self.values: list[int] = [0] * start

    def take(self, count: int, value: int = 0) -> int:
        first = len(self.values)
        self.values.extend([value] * count)
        return first


def _number(layout: GroupLayout) -> list[tuple[int, int, int]]:
    """Fill measures, values and windows; returns (op, measure, window) per feature."""
    triples = []
    for feature in layout.features:
        measure, window = measure_of(feature), _window(feature)
        wanted = [measure] if not measure.nulls else [measure, Measure(measure.arg, measure.where)]
        for m in wanted:
            if m not in layout.measures:
                layout.measures.append(m)
            if m.arg is not None and m.arg not in layout.values:
                layout.values.append(m.arg)
        if window not in layout.windows:
            layout.windows.append(window)
        if feature.agg in ("sum", "avg") and measure.arg is not None:
            layout.summed.append(layout.values.index(measure.arg))
        triples.append((OPS[feature.agg], layout.measures.index(measure), layout.windows.index(window)))
    return triples


def build_layout(features: Sequence[Feature], money_scale: int, months: st.I64) -> GroupLayout:
    """Number everything the features of one key need.

    `money_scale` is the number of decimals of the base currency; `months` are the starts of the months
    in the entity's zone (microseconds UTC), read by calendar windows only.
    """
    layout = GroupLayout(tuple(features))
    triples = _number(layout)
    nm, nw, nf = len(layout.measures), len(layout.windows), len(layout.features)
    cal = np.array([CALENDARS[w.calendar] for w in layout.windows], np.int64)
    parts: dict[tuple[int, int], set[str]] = {}
    distinct: set[int] = set()
    top: set[int] = set()
    bottom: set[int] = set()
    last: set[int] = set()
    for op, m, w in triples:
        distinct.update({m} if op == st.OP_DISTINCT else ())
        if cal[w] == st.CAL_PREV_MONTH:
            continue
        parts.setdefault((m, w), set()).update(_PARTS[op], "" if op in _UNCOUNTED else "n")
        top.update({m} if op == st.OP_MAX else ())
        bottom.update({m} if op == st.OP_MIN else ())
        last.update({m} if op in (st.OP_LAST, st.OP_LAG) else ())
    distinct = {m for m in distinct if any("d" in p for (mm, _), p in parts.items() if mm == m)}

    value_column = st.BITS + max(1, -(-(nm + len(distinct)) // 64))
    row = _Columns(value_column + len(layout.values))
    line = _Columns(st.KEY_COLUMNS)
    line.values[st.HEAD] = st.TIME_MIN

    def per_measure(chosen: set[int], make: _Columns, cells: int, value: int) -> st.I64:
        return np.array([make.take(cells, value) if m in chosen else -1 for m in range(nm)], np.int64)

    woff = np.array([-1 if c == st.CAL_PREV_MONTH else line.take(2) for c in cal], np.int64)
    for o in woff[woff >= 0]:
        line.values[o + 1] = st.TIME_MAX
    mmax, mmin = per_measure(top, row, 2, 0), per_measure(bottom, row, 2, 0)
    mmaxt, mmint = per_measure(top, line, 1, -1), per_measure(bottom, line, 1, -1)
    mlast = per_measure(last, line, 1, -1)

    entry = np.full((nm, nw), -1, np.int64)
    cells: dict[str, list[int]] = {p: [] for p in _CELLS}
    for number, key in enumerate(sorted(parts)):
        entry[key] = number
        for part, size in _CELLS.items():
            taken = part in parts[key]
            cells[part].append(line.take(size, _START_VALUE.get(part, 0)) if taken else -1)
    treaps = sum(o >= 0 for o in cells["t"])

    f_cache = np.full(nf, -1, np.int64)
    for f, (_, _, w) in enumerate(triples):
        if cal[w] == st.CAL_PREV_MONTH:
            f_cache[f] = line.take(4, 0)
            line.values[f_cache[f] + 2] = -1

    def csr(rows: int, of: dict[int, list[int]]) -> tuple[st.I64, st.I64]:
        pointers = np.cumsum([0] + [len(of.get(r, [])) for r in range(rows)]).astype(np.int64)
        return pointers, np.array([x for r in range(rows) for x in of.get(r, [])], np.int64)

    windows_of: dict[int, list[int]] = {}
    measures_of: dict[int, list[int]] = {}
    for m, w in sorted(parts):
        windows_of.setdefault(m, []).append(w)
        measures_of.setdefault(w, []).append(m)
    mwptr, mwin = csr(nm, windows_of)
    wmptr, wm = csr(nw, measures_of)
    number_of_distinct = {m: d for d, m in enumerate(sorted(distinct))}
    scale = [money_scale if m.arg is not None and m.arg.unit is Unit.MONEY else 0 for m in layout.measures]
    valid = [
        layout.measures.index(Measure(m.arg, m.where)) if m.nulls else i
        for i, m in enumerate(layout.measures)
    ]

    def ints(values: Sequence[int]) -> st.I64:
        return np.array(values, np.int64)

    layout.fresh_line = ints(line.values)
    # lag looks at the row before the current one, so it is read before that arrives
    prior = np.array([f.window.prior or f.agg == "lag" for f in layout.features], np.bool_)

    def step(m: int, w: int) -> list[int]:
        """The P_* of an entry."""
        e, super_bit = int(entry[m, w]), nm + number_of_distinct.get(m, 0)
        value = -1 if layout.measures[m].arg is None else int(mval[m])
        rare = any(cells[part][e] >= 0 for part in "qxit")
        return [
            st.BITS + (m >> 6),
            _signed(1 << (m & 63)),
            value,
            *(cells[part][e] for part in "nsd"),
            st.BITS + (super_bit >> 6),
            _signed(1 << (super_bit & 63)),
            int(rare),
            m,
            w,
            e,
        ]

    def read(f: int) -> list[int]:
        """The R_* of a feature."""
        op, m, w = triples[f]
        if f_cache[f] < 0:
            e = int(entry[m, w])
            if op in (st.OP_COUNT, st.OP_DISTINCT):
                return [st.READ_CELL, f, cells["n" if op == st.OP_COUNT else "d"][e], -1]
            if op == st.OP_SUM:
                return [st.READ_SUM, f, cells["s"][e], cells["n"][e]]
        return [st.READ_OTHER, f, -1, -1]

    def table(rows: Sequence[list[int]], columns: int) -> st.I64:
        return np.array(rows, np.int64).reshape(len(rows), columns)

    mval = ints([-1 if m.arg is None else value_column + layout.values.index(m.arg) for m in layout.measures])
    in_windows = [(m, w) for w in range(nw) for m in measures_of.get(w, [])]
    # those of one kind together, so that the processor guesses the way through them
    reads = sorted((read(f) for f in range(nf)), key=lambda r: r[st.R_KIND])
    layout.arrays = st.Layout(
        span=ints([w.span_us for w in layout.windows]),
        cal=cal,
        woff=woff,
        mval=mval,
        mvalid=ints(valid),
        mdist=ints([number_of_distinct.get(m, -1) for m in range(nm)]),
        mmax=mmax,
        mmin=mmin,
        mmaxt=mmaxt,
        mmint=mmint,
        mlast=mlast,
        m_last_list=np.flatnonzero(mlast >= 0),
        m_distinct=ints(sorted(distinct)),
        mfloat=ints([int(m.is_float) for m in layout.measures]),
        mp10=np.array([10.0**s for s in scale]),
        entry=entry,
        mwptr=mwptr,
        mwin=mwin,
        wmptr=wmptr,
        wm=wm,
        leave=table([step(m, w) for m, w in in_windows], 12),
        arrive=table([step(m, w) for m, w in sorted(parts)], 12),
        e_n=ints(cells["n"]),
        e_s=ints(cells["s"]),
        e_q=ints(cells["q"]),
        e_d=ints(cells["d"]),
        e_x=ints(cells["x"]),
        e_i=ints(cells["i"]),
        e_f=ints(cells["f"]),
        e_t=ints(cells["t"]),
        fresh=layout.fresh_line,
        read_prior=table([r for r in reads if prior[r[st.R_FEATURE]]], 4),
        read_present=table([r for r in reads if not prior[r[st.R_FEATURE]]], 4),
        f_all=np.ones(nf, np.int64),
        f_op=ints([op for op, _, _ in triples]),
        f_m=ints([m for _, m, _ in triples]),
        f_w=ints([w for _, _, w in triples]),
        f_prior=prior.astype(np.int64),
        f_q=np.array([0.5 if f.quantile is None else f.quantile for f in layout.features]),
        f_cache=f_cache,
        months=months,
        dims=ints([len(row.values), nm, value_column, len(distinct), treaps]),
    )
    return layout
