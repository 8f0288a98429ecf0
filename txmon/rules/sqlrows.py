"""The rows that a rule's SQL runs over: canonical events with profiles, own_transfer, derived columns; legs.

Only the columns that are needed appear. Everything starts from one table of canonical events, in the
physical forms of `txmon.rules.ir`. Owns these common table expressions; knows no window.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from txmon.model.currencies import EXPONENTS
from txmon.model.profile import ProfileField, event_column, profile_fields
from txmon.model.schema import CANONICAL, VALUE_KINDS
from txmon.rules.columns import LEG_COLUMNS, ROLES
from txmon.rules.ir import Call, Column, Derived, Expr, On, walk
from txmon.rules.sqlexpr import SqlExpr
from txmon.rules.sqltext import name, select, text

IDENTITY = ("ingest_seq", "event_time", "entity", "mode")


def reads(expr: Expr) -> set[str]:
    """Columns that an expression reads itself, not inside its aggregates."""
    found = {node.name for node in walk(expr) if isinstance(node, Column)}
    if any(isinstance(node, Call) and node.op == "attribute" for node in walk(expr)):
        found.add("attributes")
    return found


@dataclass
class Rows:
    """Common table expressions for the rows, in order; `events` and `legs` are the last of each table."""

    source: str
    derived: Sequence[Derived]
    render: SqlExpr
    ctes: list[tuple[str, str]] = field(default_factory=list)

    def build(self, needed: Mapping[On, set[str]]) -> None:
        """Add everything for the columns needed on events and on legs."""
        legs = self._closed(needed["legs"], "legs")
        by_role = {column for column in legs if _sides(column) is not None}
        derived = {d.name for d in self.derived}
        from_events = {side for column in by_role for side in _sides(column) or ()}
        plain = legs - by_role - derived - {"direction"}
        events = self._closed(needed["events"], "events") | from_events | plain
        if legs:
            events |= {"kind", "payer", "payee"}
        self._events(events - derived)
        self._derive("events", events & derived)
        if legs:
            self._legs(sorted(plain | set(IDENTITY)), sorted(by_role))
            self._derive("legs", legs & derived)

    def _closed(self, columns: set[str], on: On) -> set[str]:
        """Add what derived columns read."""
        found = set(columns)
        for column in reversed(self.derived):
            expr = column.events if on == "events" else column.legs
            if column.name in found and expr is not None:
                found |= reads(expr)
        return found

    def _events(self, columns: set[str]) -> None:
        profiles = {
            role: [f for f in profile_fields(entity) if event_column(role, f) in columns]
            for entity, roles in ROLES["events"].items()
            for role in roles
        }
        own = "own_transfer" in columns
        profile_names = {event_column(role, f) for role, fields in profiles.items() for f in fields}
        wanted = columns - profile_names - {"own_transfer"} | set(IDENTITY)
        wanted |= {role for role, fields in profiles.items() if fields} | (
            {"payer", "payee"} if own else set()
        )
        shown = [_canonical(column) for column in sorted(wanted)]
        self.ctes.append(("events_base", select(", ".join(shown), self.source)))
        joins, extra = self._profiles(profiles, own)
        extra += [_OWN_TRANSFER] if own else []
        query = select(", ".join(["b.*", *extra]), " ".join(["events_base b", *joins]))
        self.ctes.append(("events_rows", query))

    def _profiles(self, profiles: Mapping[str, list[ProfileField]], own: bool) -> tuple[list[str], list[str]]:
        """As-of joins: per field the newest value that arrived before and is not later in time."""
        joins: list[str] = []
        extra: list[str] = []
        for entity, roles in ROLES["events"].items():
            fields = {f.name: f for role in roles for f in profiles[role]}
            holders = own and entity == "account"
            if not fields and not holders:
                continue
            self.ctes.append(
                (f"{entity}_profiles", _profile_events(entity, fields.values(), holders, self.source))
            )
            for role in roles:
                values = {f"{event_column(role, f)}": f"p_{f.name}" for f in profiles[role]}
                values |= {f"{role}_holders": "holders"} if holders else {}
                if not values:
                    continue
                newest = [
                    f"arg_max(p.{name(v)}, p.rank) filter (where p.{name(v)} is not null) as {name(c)}"
                    for c, v in values.items()
                ]
                query = select(
                    ", ".join(["b.ingest_seq", *newest]),
                    f"events_base b join {entity}_profiles p on p.id = b.{role} and p.entity = b.entity"
                    " and p.mode = b.mode and p.ingest_seq < b.ingest_seq and p.event_time <= b.event_time",
                    "",
                    "group by b.ingest_seq",
                )
                self.ctes.append((f"{role}_known", query))
                joins.append(f"left join {role}_known on {role}_known.ingest_seq = b.ingest_seq")
                extra += [f"{role}_known.{name(c)}" for c in values if c != f"{role}_holders"]
        return joins, extra

    def _derive(self, on: On, names: set[str]) -> None:
        """Derived columns in layers: a layer reads only columns of the layers below."""
        waiting = [d for d in self.derived if d.name in names]
        layer = 0
        while waiting:
            open_names = {d.name for d in waiting}
            ready = [d for d in waiting if not reads(_expr(d, on)) & open_names]
            layer += 1
            shown = [f"{self.render(_expr(d, on))} as {name(d.name)}" for d in ready]
            self.ctes.append((f"{on}_rows_{layer}", select(", ".join(["*", *shown]), self.last(on))))
            waiting = [d for d in waiting if d not in ready]

    def last(self, on: On) -> str:
        """Name of the last table expression of events or of legs."""
        return [cte for cte, _ in self.ctes if cte.startswith(f"{on}_rows")][-1]

    def _legs(self, plain: Sequence[str], by_role: Sequence[str]) -> None:
        """Two legs for each event that moves value: out of the payer's account, into the payee's."""
        kinds = ", ".join(text(kind) for kind in VALUE_KINDS)
        parts = []
        for side, (direction, account) in enumerate((("out", "payer"), ("in", "payee"))):
            shown = [name(column) for column in plain]
            for column in by_role:
                pair = _sides(column)
                if pair is not None:
                    shown.append(f"{name(pair[side])} as {name(column)}")
            shown.append(f"'{direction}' as direction")
            parts.append(
                select(", ".join(shown), "events_rows", f"{account} is not null and kind in ({kinds})")
            )
        self.ctes.append(("legs_rows", " union all ".join(parts)))


def _expr(derived: Derived, on: On) -> Expr:
    expr = derived.events if on == "events" else derived.legs
    if expr is None:
        raise KeyError(f"derived column {derived.name} does not exist on {on}")
    return expr


def _sides(column: str) -> tuple[str, str] | None:
    """Columns of the event that a leg's column shows, on the out and on the in leg; None for others."""
    for role, pair in (("account", ("payer", "payee")), ("counterparty", ("payee", "payer"))):
        if column == role:
            return pair
        rest = column.removeprefix(f"{role}_")
        if rest != column and (
            column in LEG_COLUMNS or any(f.name == rest for f in profile_fields("account"))
        ):
            return f"{pair[0]}_{rest}", f"{pair[1]}_{rest}"
    return None


def _canonical(column: str) -> str:
    """A canonical column in the physical form of its unit."""
    if column == "amount":
        return "amount_base_minor as amount"
    if column == "amount_original":
        odd: dict[int, list[str]] = {}
        for code, exponent in sorted(EXPONENTS.items()):
            if exponent != 2:
                odd.setdefault(exponent, []).append(text(code))
        named = {exponent: ", ".join(codes) for exponent, codes in sorted(odd.items())}
        whens = " ".join(f"when currency in ({codes}) then {10**e}" for e, codes in named.items())
        return f"amount_minor::double / case {whens} else 100 end as amount_original"
    if pa.types.is_timestamp(CANONICAL.field(column).type):
        return f"epoch_us({name(column)}) as {name(column)}"
    return name(column)


def _profile_events(entity: str, fields: Iterable[ProfileField], holders: bool, source: str) -> str:
    """Profile events of accounts or merchants with the fields they set."""
    shown = [f"{entity} as id", "ingest_seq", "epoch_us(event_time) as event_time", "entity", "mode"]
    shown.append("epoch_us(event_time)::hugeint * 4294967296 * 4294967296 + ingest_seq as rank")
    shown += [f"{_profile_value(f)} as p_{f.name}" for f in fields] + (["holders"] if holders else [])
    return select(", ".join(shown), source, f"kind like '{entity}.%' and {entity} is not null")


def _profile_value(field_: ProfileField) -> str:
    if field_.name == "opened_time":
        return "case when kind = 'account.opened' then epoch_us(event_time) end"
    if field_.name == "onboarded_time":
        return "case when kind = 'merchant.onboarded' then epoch_us(event_time) end"
    value = name(field_.column) if field_.column else f"attributes[{text(field_.name)}]"
    if field_.type == "bool":
        return f"(lower(trim({value})) in ('true', '1', 'yes'))"
    if field_.type == "int":
        return f"try_cast({value} as bigint)"
    return value


_CURRENT = (
    "list_transform(list_filter({0}_known.holders_of, lambda h:"
    " (h.valid_from is null or epoch_us(h.valid_from) <= b.event_time)"
    " and (h.valid_to is null or b.event_time < epoch_us(h.valid_to))), lambda h: h.party)"
)
_OWN_TRANSFER = (
    "case when b.payer = b.payee then true when payer_known.payer_holders is not null"
    " and payee_known.payee_holders is not null then list_has_any("
    + ", ".join(
        _CURRENT.replace("{0}_known.holders_of", f"{r}_known.{r}_holders") for r in ("payer", "payee")
    )
    + ") end as own_transfer"
)
