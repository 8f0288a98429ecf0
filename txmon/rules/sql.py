"""A rule as one DuckDB query over canonical events: independent of the engine, with the same meaning.

The result has a row per evaluation: ingest_seq, leg, subject_id, trigger, as_of, every let, hit. Rows of
trigger `event` are all rows of the rule's table with a subject; rows of `late` and `tick` are the first
hits of second evaluations and of marks of time. Money is in minor units, times in microseconds.
Owns the query; formulas are in `txmon.rules.sqlexpr` and `txmon.rules.sqlwindows`.
"""

from __future__ import annotations

from collections.abc import Sequence

from txmon.rules.ir import Expr, Feature, On, Plan, Rule, rule_features
from txmon.rules.planner import referred_rules
from txmon.rules.sqlexpr import SqlExpr, Tables
from txmon.rules.sqlrows import IDENTITY, Rows, reads
from txmon.rules.sqlsizes import Size, Sizes
from txmon.rules.sqltext import name, select, text
from txmon.rules.sqlwindows import ORDER_BITS, Block, Slots, blocks_of


def rule_steps(
    rule: Rule, plan: Plan, source: str = "events", *, rates: str = "rates", scores: str | None = None
) -> list[tuple[str, str]]:
    """Return (table, query) pairs; each reads only tables before it and `source`, the last is the result.

    Args:
        rule: a rule of `plan`.
        source: table or view with the columns of `txmon.model.schema.CANONICAL`.
        rates: table (date, currency, base, rate), read only by parameters with a currency.
        scores: table (ingest_seq, detector, score) of anomaly scores; null scores without it.
    """
    return _Query(plan, source, rates, scores).build(rule)


def rule_sql(
    rule: Rule, plan: Plan, source: str = "events", *, rates: str = "rates", scores: str | None = None
) -> str:
    """Return `rule_steps` as one query. DuckDB plans the steps one by one much faster (`rule_script`)."""
    steps = rule_steps(rule, plan, source, rates=rates, scores=scores)
    shown = ",\n".join(f"{table} as materialized (\n  {query}\n)" for table, query in steps[:-1])
    return f"with {shown}\n{steps[-1][1]}"


def rule_script(
    rule: Rule, plan: Plan, source: str = "events", *, rates: str = "rates", scores: str | None = None
) -> str:
    """Return `rule_steps` as statements over temporary tables; the last one is the result."""
    steps = rule_steps(rule, plan, source, rates=rates, scores=scores)
    made = [f"create or replace temp table {table} as\n  {query};" for table, query in steps[:-1]]
    return "\n".join([*made, f"{steps[-1][1]};"])


class _Query:
    """Collects the table expressions of a rule and of the rules it refers to."""

    def __init__(self, plan: Plan, source: str, rates: str, scores: str | None) -> None:
        self._plan = plan
        self._source = source
        self._tables = Tables({}, plan.lists, plan.base_currency, plan.money_scale, rates, scores=scores)
        self._zone = plan.entity_tz or "UTC"
        self._by_id = {rule.id: rule for rule in plan.rules}
        self._ctes: list[tuple[str, str]] = []
        self.prefixes: dict[str, str] = {}

    def build(self, rule: Rule) -> list[tuple[str, str]]:
        rules = self._closure(rule)
        needed: dict[On, set[str]] = {"events": set(), "legs": set()}
        for each in rules:
            _add_columns(each, needed)
        rows = Rows(self._source, self._plan.derived, SqlExpr(self._tables))
        rows.build(needed)
        self._ctes = rows.ctes
        result = ""
        self.prefixes = {each.id: f"r{number}" for number, each in enumerate(rules)}
        for each in rules:
            result = _RuleQuery(self, each, self.prefixes[each.id], rows).build()
        final = select("*", result, "", "order by ingest_seq, leg desc, trigger")
        return [*self._ctes, ("result", final)]

    def _closure(self, rule: Rule) -> list[Rule]:
        """Rules that are referred to, each before those that refer to it, then the rule."""
        found: dict[str, Rule] = {}

        def visit(each: Rule) -> None:
            for identity in sorted(referred_rules(each)):
                visit(self._by_id[identity])
            found[each.id] = each

        visit(rule)
        return list(found.values())

    @property
    def plan(self) -> Plan:
        return self._plan

    @property
    def tables(self) -> Tables:
        return self._tables

    @property
    def zone(self) -> str:
        return self._zone

    def rule(self, identity: str) -> Rule:
        return self._by_id[identity]

    def add(self, cte: str, query: str) -> str:
        self._ctes.append((cte, query))
        return cte


def _add_columns(rule: Rule, needed: dict[On, set[str]]) -> None:
    """Record the columns that a rule reads on each table."""
    own = needed[rule.on]
    own |= {rule.subject, *IDENTITY}
    for expr in (rule.when, *(e for _, e in rule.let)):
        own |= reads(expr)
    for feature in rule_features(rule):
        needed[feature.window.on] |= set(feature.window.key) | set(IDENTITY)
        own |= set(feature.window.key)
        for part in (feature.arg, feature.where):
            needed[feature.window.on] |= reads(part) if part is not None else set()
    if rule.tick:
        needed["events"] |= {"kind", *IDENTITY}


def _let_sizes(rule: Rule) -> dict[str, Size]:
    return {let: Sizes({})(expr) for let, expr in rule.let}


class _RuleQuery:
    """The table expressions of one rule."""

    def __init__(self, query: _Query, rule: Rule, prefix: str, rows: Rows) -> None:
        self._q = query
        self._rule = rule
        self._prefix = prefix
        self._rows = rows
        self._features = rule_features(rule)
        self._columns = {feature: f"_f{i}" for i, feature in enumerate(self._features)}
        self._tables = Tables(
            self._columns, query.tables.lists, query.tables.base_currency, query.tables.money_scale,
            query.tables.rates, _let_sizes(rule), query.tables.scores,
        )  # fmt: skip
        self._blocks: list[Block] = []

    def build(self) -> str:
        rule, p = self._rule, self._prefix
        self._row_tables()
        results = [] if rule.tick else [self._events()]
        if rule.tick:
            results.append(self._ticks())
        elif rule.longest_us():
            results.append(self._late())
        result = self._q.add(f"{p}_result", " union all by name ".join(select("*", cte) for cte in results))
        self._q.add(f"{p}_hits", select("distinct _ord", result, "hit and trigger <> 'tick'"))
        return self._shape(result)

    def _shape(self, result: str) -> str:
        leg = "null::varchar"
        seq = "_ord"
        if self._rule.on == "legs":
            leg, seq = "case when _ord % 2 = 0 then 'out' else 'in' end", "_ord // 2"
            leg = "null::varchar" if self._rule.tick else leg
        lets = [name(let) for let, _ in self._rule.let]
        shown = [f"{seq} as ingest_seq", f"{leg} as leg", "subject_id", "trigger", "as_of", *lets, "hit"]
        return self._q.add(f"{self._prefix}_shown", select(", ".join(shown), result))

    # -- rows ----------------------------------------------------------------------------------------

    def _row_tables(self) -> None:
        """Rows of each table with order, the arguments and filters of the aggregates, and hits of rules."""
        slots: dict[On, Slots] = {}
        wanted = {self._rule.on, *(f.window.on for f in self._features)}
        for on in sorted(wanted):
            slots[on] = self._rows_on(on, [f for f in self._features if f.window.on == on])
        for window, features in blocks_of(self._features):
            rows = self._rows_name(window.on)
            self._blocks.append(
                Block(
                    window,
                    features,
                    rows,
                    slots[window.on],
                    self._columns,
                    self._q.plan.money_scale,
                    self._q.zone,
                )
            )

    def _rows_name(self, on: On) -> str:
        return f"{self._prefix}_{on}"

    def _rows_on(self, on: On, features: Sequence[Feature]) -> Slots:
        render = SqlExpr(self._tables)
        args = list(dict.fromkeys(f.arg for f in features if f.arg is not None))
        filters = list(dict.fromkeys(f.where for f in features if f.where is not None))
        hits = sorted({f.hits_rule for f in features if f.hits_rule is not None})
        slots = Slots(
            {e: f"_a{i}" for i, e in enumerate(args)},
            {e: f"_c{i}" for i, e in enumerate(filters)},
            {r: f"_h{i}" for i, r in enumerate(hits)},
        )
        order = (
            "ingest_seq" if on == "events" else "2 * ingest_seq + case direction when 'in' then 1 else 0 end"
        )
        shown = ["*", f"{order} as _ord"]
        shown += [f"{render(e)} as {c}" for e, c in [*slots.args.items(), *slots.filters.items()]]
        ordered = self._q.add(f"{self._prefix}_{on}_ordered", select(", ".join(shown), self._rows.last(on)))
        flags = [f"{self._flag(r, on)} as {c}" for r, c in slots.hits.items()]
        o = "row_number() over (partition by event_time order by _ord)"
        shown = ["*", f"{o} as _o", f"event_time::hugeint * {ORDER_BITS} + {o} as _t", *flags]
        self._q.add(self._rows_name(on), select(", ".join(shown), ordered))
        return slots

    def _flag(self, identity: str, on: On) -> str:
        """Whether a rule hit a row; a rule on the other table speaks for the event."""
        own, table = self._q.rule(identity).on, f"{self._prefix_of(identity)}_hits"
        if own == on:
            return f"_ord in ({select('_ord', table)})"
        if own == "events":
            return f"_ord // 2 in ({select('_ord', table)})"
        return f"_ord in ({select('_ord // 2', table)})"

    def _prefix_of(self, identity: str) -> str:
        return self._q.prefixes[identity]

    # -- evaluations ---------------------------------------------------------------------------------

    def _events(self) -> str:
        """Every row at its own time."""
        rule, p = self._rule, self._prefix
        rows = self._rows_name(rule.on)
        joins = [f"{rows} r"]
        for i, block in enumerate(self._blocks):
            ordered = self._q.add(f"{p}_w{i}", block.in_order())
            overtaken = select("_ord", ordered, "_newest > _ord")
            requests = select(
                "*, event_time as _at, _ord as _upto, _ord as _self", block.rows, f"_ord in ({overtaken})"
            )
            self._q.add(f"{p}_q{i}", requests)
            again = self._q.add(f"{p}_j{i}", block.joined(f"{p}_q{i}"))
            kept = block.finished(ordered, "_newest is null or _newest <= _ord", "_ord")
            values = self._q.add(f"{p}_v{i}", f"{kept} union all {block.finished(again, '', '_ord')}")
            joins.append(f"left join {values} on {values}._ord = {self._order(block, 'r')}")
        return self._evaluated("event", " ".join(joins), "r", "null::bigint")

    def _order(self, block: Block, alias: str) -> str:
        """Order of a row of the rule's table in the table of a block."""
        return f"{alias}._ord // 2" if block.window.on != self._rule.on else f"{alias}._ord"

    def _late(self) -> str:
        """Rows that came after a later one of their subject, at each such time, first hit only."""
        rule, p = self._rule, self._prefix
        rows, subject = self._rows_name(rule.on), name(rule.subject)
        later = select(
            "distinct r._ord, x.event_time as _at",
            f"{rows} r join {rows} x on x.entity = r.entity and x.mode = r.mode and x.{subject} = r.{subject}"
            " and x._ord < r._ord and x.event_time > r.event_time"
            f" and x.event_time < r.event_time + {rule.longest_us()}",
        )
        self._q.add(f"{p}_later", later)
        query = select(
            "r.*, l._at, r._ord as _upto, r._ord as _self", f"{p}_later l join {rows} r on r._ord = l._ord"
        )
        return self._again("late", self._q.add(f"{p}_late_asked", query))

    def _ticks(self) -> str:
        """Last row of each subject at the first tick of each UTC day."""
        rule, p = self._rule, self._prefix
        rows, subject = self._rows_name(rule.on), name(rule.subject)
        day = "event_time // 86400000000"
        before = f"max({day}) over (order by ingest_seq rows between unbounded preceding and 1 preceding)"
        ticks = select("ingest_seq as _tick, event_time as _at", self._rows.last("events"), "kind = 'tick'",
                       f"qualify coalesce({day} > {before}, true)")  # fmt: skip
        self._q.add(f"{p}_ticks", ticks)
        upto = "k._tick" if rule.on == "events" else "2 * k._tick + 1"
        last = select(
            f"r._ord, k._at, {upto} as _upto, -2 as _self, r.event_time as _seen",
            f"{p}_ticks k join {rows} r on r.ingest_seq <= k._tick",
            f"r.{subject} is not null",
            f"qualify row_number() over (partition by k._tick, r.entity, r.mode, r.{subject}"
            " order by r.event_time desc, r._ord desc) = 1",
        )
        self._q.add(f"{p}_last", last)
        query = select(
            "r.* replace (l._at as event_time), l._at, l._upto, l._self",
            f"{p}_last l join {rows} r on r._ord = l._ord",
            f"l._seen > l._at - {rule.longest_us()} and l._seen <= l._at",
        )
        return self._again("tick", self._q.add(f"{p}_tick_asked", query))

    def _again(self, trigger: str, requests: str) -> str:
        """Evaluate requests by as-of joins and keep the first hit of each row."""
        p = self._prefix
        joins = [f"{requests} r"]
        for i, block in enumerate(self._blocks):
            source = requests
            if block.window.on != self._rule.on:
                # both legs of an event ask the same of its windows: once
                key = ", ".join(["entity", "mode", *map(name, block.window.key)])
                half = f"distinct _ord // 2 as _ord, _at, _upto // 2 as _upto, _self // 2 as _self, {key}"
                source = self._q.add(f"{p}_{trigger}_e{i}", select(half, requests))
            parts = self._q.add(f"{p}_{trigger}_j{i}", block.joined(source))
            values = self._q.add(f"{p}_{trigger}_v{i}", block.finished(parts, "", "_ord", "_at"))
            joins.append(
                f"left join {values} on {values}._ord = {self._order(block, 'r')} and {values}._at = r._at"
            )
        found = self._evaluated(trigger, " ".join(joins), "r", "r._at")
        first = select("*", found, "hit", "qualify row_number() over (partition by _ord order by as_of) = 1")
        return self._q.add(f"{p}_{trigger}_first", first)

    def _evaluated(self, trigger: str, source: str, alias: str, as_of: str) -> str:
        """Lets, then `when`, for every row that has a subject."""
        rule, p = self._rule, self._prefix
        used = sorted(reads(rule.when) | {"event_time"})
        render = SqlExpr(self._tables, f"{alias}.")
        lets = [f"{render(expr)} as {name(let)}" for let, expr in rule.let]
        kept = [f"{alias}.{name(column)}" for column in used if column not in {let for let, _ in rule.let}]
        shown = [f"{alias}._ord", f"{alias}.ingest_seq", f"{alias}.{name(rule.subject)} as subject_id"]
        shown += [text(trigger) + " as trigger", f"{as_of} as as_of", *kept, *lets]
        table = self._q.add(
            f"{p}_{trigger}_lets",
            select(", ".join(shown), source, f"{alias}.{name(rule.subject)} is not null"),
        )
        when: Expr = rule.when
        query = select(f"*, coalesce({SqlExpr(self._tables)(when)}, false) as hit", table)
        return self._q.add(f"{p}_{trigger}_rows", query)
