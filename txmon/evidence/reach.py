"""Which events a hit rests on: everything its windows read, and nothing else of anybody.

A window over the subject's own key is taken whole. Of a window over another key (a merchant, a device, the
other side's account) only what the rule's filters count is taken. Where a rule counts hits of another rule,
the windows of that one at each event in question are taken, too. What is found may be more than one hit
needs, never less, since every row is of the journal and orders and times are compared again when the rule
runs. Owns the choice; `txmon.evidence.script` proves that it was enough.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from txmon.evidence.source import Hit, closure
from txmon.model.schema import VALUE_KINDS
from txmon.rules.ir import Expr, Feature, On, Plan, Rule, Window, rule_features
from txmon.rules.sqlexpr import SqlExpr, Tables
from txmon.rules.sqlrows import IDENTITY, Rows, reads
from txmon.rules.sqltext import name, select, text
from txmon.rules.sqlwindows import bounds

Requests = set[tuple[int, int, int]]  # order of a row, time at which it is looked at, newest order seen


@dataclass(frozen=True)
class Sources:
    """Events in reach with their numbers, exchange rates, and numbers of events by rule that it hit."""

    events: pa.Table
    rates: pa.Table
    hits: Mapping[str, frozenset[int]]


def reach(found: Sequence[Hit], sources: Sources) -> set[int]:
    """Return the numbers of the events that some hits rest on."""
    with duckdb.connect() as con:
        con.execute("set threads = 1")
        con.register("rates", sources.rates)
        wide = _Pass(con, sources, sources.events, filtered=False).numbers(found)
        wide |= _profiles(sources.events, wide)
        near = sources.events.filter(_among(sources.events, wide))
        kept = _Pass(con, sources, near, filtered=True).numbers(found)
        return kept | _profiles(near, kept)


def _among(events: pa.Table, numbers: set[int]) -> pa.ChunkedArray:
    return pc.is_in(events.column("ingest_seq"), pa.array(sorted(numbers), pa.int64()))


def _profiles(events: pa.Table, numbers: set[int]) -> set[int]:
    """Profile events that the accounts and merchants of some events had before them."""
    with duckdb.connect() as con:
        con.register("given", events)
        con.register("kept", pa.table({"n": pa.array(sorted(numbers), pa.int64())}))
        rows = con.execute(
            "with k as (select * from given where ingest_seq in (select n from kept)),"
            " who as (select 'account' as of, payer as id, max(ingest_seq) as upto from k group by payer"
            " union all select 'account', payee, max(ingest_seq) from k group by payee"
            " union all select 'merchant', merchant, max(ingest_seq) from k group by merchant)"
            " select distinct g.ingest_seq from given g join who on g.ingest_seq < who.upto"
            " and who.id = case who.of when 'account' then g.account else g.merchant end"
            " and starts_with(g.kind, who.of || '.')"
        ).fetchall()
    return {int(row[0]) for row in rows}


class _Pass:
    """One walk from hits through windows; with filters only over few events, whose columns are derived."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, sources: Sources, events: pa.Table, *, filtered: bool
    ) -> None:
        self._con, self._sources, self._events, self._filtered = con, sources, events, filtered
        con.register("given", events)
        con.execute("create or replace temp table e_rows as " + _event_rows())
        con.execute("create or replace temp table l_rows as " + _leg_rows())

    def numbers(self, found: Sequence[Hit]) -> set[int]:
        """Return the numbers of events that the hits rest on."""
        kept: set[int] = set()
        by_rule: dict[tuple[bytes, str], list[Hit]] = {}
        for hit in found:
            by_rule.setdefault((hit.epoch.document, hit.rule.id), []).append(hit)
        for members in by_rule.values():
            kept |= self._rule(members)
        return kept

    def _rule(self, members: Sequence[Hit]) -> set[int]:
        first = members[0]
        rules = first.epoch.config.rules
        asked: dict[str, Requests] = {first.rule.id: set()}
        kept: set[int] = set()
        for hit in members:
            kept.add(hit.seq)
            asked[first.rule.id] |= self._first(hit, members, kept)
        for rule in closure(first.rule, rules):
            requests = asked.get(rule.id, set())
            if requests:
                self._ask(rule, first.plan, requests)
                kept |= self._windows(rule, first.plan, asked)
        return kept

    def _first(self, hit: Hit, members: Sequence[Hit], kept: set[int]) -> Requests:
        """What is asked for one hit: its own evaluation, and those that decide that it was the first one."""
        if hit.rule.tick:
            ticks = {int(m.row["ingest_seq"]): m.at_us for m in members if m.at_us <= hit.at_us}
            kept |= set(ticks)
            newest = {n: n if hit.rule.on == "events" else 2 * n + 1 for n in ticks}
            return {(hit.order, at, newest[n]) for n, at in ticks.items() if n > hit.seq}
        found: Requests = {(hit.order, hit.at_us, hit.order)}
        if hit.row["trigger"] == "late":
            later = self._later(hit.rule, {hit.order})
            kept |= {other // self._per(hit.rule) for _, at, other in later if at <= hit.at_us}
            found |= {(order, at, order) for order, at, _ in later if at <= hit.at_us}
        return found

    @staticmethod
    def _per(rule: Rule) -> int:
        return 1 if rule.on == "events" else 2

    def _later(self, rule: Rule, orders: set[int]) -> set[tuple[int, int, int]]:
        """Later times of the subject that rows came after: row, time, row that had it."""
        self._con.register("late_rows", pa.table({"o": pa.array(sorted(orders), pa.int64())}))
        rows, subject = _rows(rule.on), name(rule.subject)
        query = select(
            "r._ord, x._time, x._ord",
            f"late_rows join {rows} r on r._ord = o join {rows} x on x.entity = r.entity and x.mode = r.mode"
            f" and x.{subject} = r.{subject} and x._ord < r._ord and x._time > r._time"
            f" and x._time < r._time + {rule.longest_us()}",
        )
        return {(int(a), int(b), int(c)) for a, b, c in self._con.execute(query).fetchall()}

    def _ask(self, rule: Rule, plan: Plan, requests: Requests) -> None:
        """Put requests, and the filters of a rule's windows, where the queries find them."""
        order, at, upto = (
            pa.array(list(values), pa.int64()) for values in zip(*sorted(requests), strict=True)
        )
        self._con.register("asked", pa.table({"_ord": order, "_at": at, "_upto": upto}))
        if self._filtered:
            for on in sorted({f.window.on for f in rule_features(rule)}):
                self._con.execute(
                    f"create or replace temp table {on}_counted as {self._counted(rule, plan, on)}"
                )

    def _counted(self, rule: Rule, plan: Plan, on: On) -> str:
        """The query of a rule's filters on one table, a column each."""
        filters = _filters(rule, on)
        needed: dict[On, set[str]] = {"events": set(), "legs": set()}
        needed[on] |= set(IDENTITY)
        for each in filters:
            needed[on] |= reads(each)
        rates = "(select * from rates)"
        render = SqlExpr(Tables({}, plan.lists, plan.base_currency, plan.money_scale, rates))
        rows = Rows("given", plan.derived, render)
        rows.build(needed)
        shown = ["ingest_seq" if on == "events" else _LEG_ORDER + " as _ord", *(
            f"coalesce({render(each)}, false) as _c{i}" for i, each in enumerate(filters)
        )]  # fmt: skip
        steps = ",\n".join(f"{table} as ({query})" for table, query in rows.ctes)
        if on == "events":
            shown[0] = "ingest_seq as _ord"
        return f"with {steps} {select(', '.join(shown), rows.last(on))}"

    def _windows(self, rule: Rule, plan: Plan, asked: dict[str, Requests]) -> set[int]:
        """Rows of all windows of a rule's requests; adds what the rules that it counts are asked."""
        kept: set[int] = set()
        for feature in rule_features(rule):
            window = feature.window
            found = self._rows_of(rule, plan, feature)
            per = 1 if window.on == "events" else 2
            if rule.subject not in window.key and feature.hits_rule is not None:
                known = self._sources.hits.get(feature.hits_rule, frozenset())
                found = [(order, at) for order, at in found if order // per in known]
            kept |= {order // per for order, _ in found}
            if feature.hits_rule is not None:
                other = next(r for r in plan.rules if r.id == feature.hits_rule)
                asked.setdefault(other.id, set()).update(self._counted_hits(window.on, other, found, kept))
        return kept

    def _counted_hits(
        self, on: On, other: Rule, found: Sequence[tuple[int, int]], kept: set[int]
    ) -> Requests:
        """What a rule whose hits are counted is asked: at each row's own time, and at later ones."""
        if on == other.on:
            rows = set(found)
        elif other.on == "legs":
            rows = {(2 * order + side, at) for order, at in found for side in (0, 1)}
        else:
            rows = {(order // 2, at) for order, at in found}
        requests: Requests = {(order, at, order) for order, at in rows}
        if other.longest_us():
            later = self._later(other, {order for order, _ in rows})
            kept |= {row // self._per(other) for _, _, row in later}
            requests |= {(order, at, order) for order, at, _ in later}
        return requests

    def _rows_of(self, rule: Rule, plan: Plan, feature: Feature) -> list[tuple[int, int]]:
        """Rows (order, time) of one feature's window over all requests."""
        window = feature.window
        low, high = bounds(window, "q._at", plan.entity_tz or "UTC")
        own, others = _rows(rule.on), _rows(window.on)
        if window.on == rule.on:
            upto, keys = "q._upto", f"asked q join {own} r on r._ord = q._ord"
        else:  # a rule on legs that looks at events
            upto, keys = "q._upto // 2", f"asked q join {others} r on r._ord = q._ord // 2"
        same = " and ".join(f"x.{k} = r.{k}" for k in ("entity", "mode", *map(name, window.key)))
        joined = (
            f"{keys} join {others} x on {same} and x._ord <= {upto} and x._time > {low} and x._time <= {high}"
        )
        where = ""
        if self._filtered and not _own(rule, window) and feature.where is not None:
            column = _filters(rule, window.on).index(feature.where)
            joined += f" join {window.on}_counted c on c._ord = x._ord"
            where = f"c._c{column}"
        rows = self._con.execute(select("distinct x._ord, x._time", joined, where)).fetchall()
        return [(int(order), int(time)) for order, time in rows]


def _own(rule: Rule, window: Window) -> bool:
    """Whether all rows of a window are the subject's own."""
    return rule.subject in window.key


def _filters(rule: Rule, on: On) -> list[Expr]:
    return list(
        dict.fromkeys(f.where for f in rule_features(rule) if f.where is not None and f.window.on == on)
    )


def _rows(on: On) -> str:
    return "e_rows" if on == "events" else "l_rows"


_LEG_ORDER = "2 * ingest_seq + case direction when 'in' then 1 else 0 end"


def _event_rows() -> str:
    return select(
        "* exclude (holders, attributes), ingest_seq as _ord, epoch_us(event_time) as _time", "given"
    )


def _leg_rows() -> str:
    kinds = ", ".join(text(kind) for kind in VALUE_KINDS)
    sides = []
    for side, (own, other) in enumerate((("payer", "payee"), ("payee", "payer"))):
        shown = (
            f"* exclude (account, holders, attributes), {own} as account, {other} as counterparty,"
            f" {own}_country as account_country, {other}_country as counterparty_country,"
            f" 2 * ingest_seq + {side} as _ord, epoch_us(event_time) as _time,"
            f" {text('out' if side == 0 else 'in')} as direction"
        )
        sides.append(select(shown, "given", f"{own} is not null and kind in ({kinds})"))
    return " union all ".join(sides)
