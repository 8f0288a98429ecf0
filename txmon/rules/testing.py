"""The `tests` of a rule: events as their author writes them, made into canonical events.

An item of `events` is a native event with the `defaults` of the test filled in; `repeat: n` makes n of
it, `every` apart, with ``{i}`` counting from 0 in its texts. `at` is the distance from 2026-01-05T12:00Z;
without it the next event comes a minute (or `every`) later. Events arrive in order of time, unless the
test says ``arrival: listed``. Defaults are about movements of money: of them a profile event takes only
whom it is about, a tick nothing. Owns reading tests; never runs one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from txmon.errors import RuleError
from txmon.model.currencies import EXPONENTS
from txmon.model.rates import Rate, Rates
from txmon.model.schema import CANONICAL, FIELD_BY_NAME, KINDS, VALUE_KINDS
from txmon.rules.fields import Fields
from txmon.rules.yamlnode import YamlNode

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
MAX_EVENTS = 20_000
TEST_KEYS = frozenset(
    {"name", "defaults", "events", "hits", "late_hits", "tick_hits", "rates", "arrival", "doc"}
)
OWN_KEYS = frozenset({"repeat", "every", "at", "amount"})
MADE = frozenset({"ingest_seq", "amount_base_minor", "base_currency", "rate_date", "unconverted"})
COLUMNS = frozenset(FIELD_BY_NAME) - MADE | OWN_KEYS
SCOPE = frozenset({"entity", "mode", "source"})
IDENTITIES = SCOPE | {"account", "merchant", "party", "device"}
_OFFSET = re.compile(r"([+-]?)((?:[0-9]{1,6}[dhms])+)")
_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}


@dataclass(frozen=True)
class RuleTest:
    """One test: canonical events in order of arrival, and the positions (as listed) that must hit."""

    name: str
    node: YamlNode
    events: pa.Table
    listed: tuple[int, ...]  # position as listed of each arriving event
    rates: tuple[Rate, ...]
    hits: Mapping[str, frozenset[int]]  # by trigger; a trigger that is absent is not looked at


@dataclass
class _Item:
    time: datetime
    values: dict[str, Any]
    node: YamlNode


@dataclass
class _Clock:
    """Where the next event without a time of its own stands."""

    next: datetime = START
    items: list[_Item] = field(default_factory=list)


def read_tests(root: YamlNode, base_currency: str, errors: list[RuleError]) -> list[RuleTest]:
    """Read the tests of a rule file; what is wrong is recorded and left out."""
    node = root.index.get("tests")
    if node is None:
        return []
    if node.kind != "seq":
        errors.append(node.error("`tests` must be a list"))
        return []
    found = [_test(item, base_currency, errors) for item in node.items]
    names: set[str] = set()
    for test in found:
        if test is not None and test.name in names:
            errors.append(test.node.error(f"a second test named '{test.name}'"))
        names.add(test.name if test is not None else "")
    return [test for test in found if test is not None]


def _test(node: YamlNode, base_currency: str, errors: list[RuleError]) -> RuleTest | None:
    before = len(errors)
    fields = Fields(node, errors, TEST_KEYS)
    fields.require("name", "events", "hits")
    listed = fields.choice("arrival", ("time", "listed"), "time") == "listed"
    items = _items(fields, errors)
    expected = {
        trigger: _positions(fields, key, len(items))
        for trigger, key in (("event", "hits"), ("late", "late_hits"), ("tick", "tick_hits"))
        if fields.get(key) is not None
    }
    rates = _rates(fields, base_currency, errors)
    if len(errors) > before:
        return None
    order = list(range(len(items)))
    if not listed:
        order.sort(key=lambda i: items[i].time)
    maker = _Maker(base_currency, rates, errors)
    events = maker.table([items[i] for i in order], order)
    if len(errors) > before:
        return None
    return RuleTest(fields.text("name"), node, events, tuple(order), tuple(rates), expected)


def _positions(fields: Fields, key: str, count: int) -> frozenset[int]:
    node = fields.get(key)
    if node is None or node.kind != "seq":
        fields.refuse(node or fields.node, f"`{key}` must be a list of positions; [] for none")
        return frozenset()
    found = set()
    for item in node.items:
        if not isinstance(item.value, int) or isinstance(item.value, bool) or not 0 <= item.value < count:
            fields.refuse(
                item, f"`{key}`: {item.text[:20]} is no position of an event; there are {count}, from 0"
            )
        else:
            found.add(item.value)
    return frozenset(found)


def _items(fields: Fields, errors: list[RuleError]) -> list[_Item]:
    defaults_node, node = fields.get("defaults"), fields.get("events")
    defaults: dict[str, Any] = {}
    if defaults_node is not None:
        Fields(defaults_node, errors, COLUMNS)
        defaults = defaults_node.plain() if defaults_node.kind == "map" else {}
    if node is None or node.kind != "seq":
        fields.refuse(node or fields.node, "`events` must be a list")
        return []
    clock = _Clock()
    for item in node.items:
        _expand(item, defaults, clock, errors)
        if len(clock.items) > MAX_EVENTS:
            errors.append(item.error(f"more than {MAX_EVENTS:,} events in one test"))
            break
    return clock.items


def _expand(node: YamlNode, defaults: Mapping[str, Any], clock: _Clock, errors: list[RuleError]) -> None:
    fields = Fields(node, errors, COLUMNS)
    if node.kind != "map":
        return
    own = node.plain()
    kind = own.get("kind", defaults.get("kind", "payment"))
    kept = None if kind in VALUE_KINDS else SCOPE if kind == "tick" else IDENTITIES
    values = {k: v for k, v in defaults.items() if kept is None or k in kept or k in OWN_KEYS - {"amount"}}
    values |= own
    count = values.pop("repeat", 1)
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MAX_EVENTS:
        fields.refuse(node, f"`repeat` must be a whole number from 1 to {MAX_EVENTS:,}")
        return
    step = _offset(values.pop("every", "1m"))
    start = _start(values, clock)
    if step is None or start is None:
        fields.refuse(node, "`at` and `every` are distances such as +3d or 1h; event_time is RFC 3339")
        return
    for i in range(count):
        clock.items.append(_Item(start + i * step, _filled(values, i), node))
    clock.next = start + (count - 1) * step + (step if "every" in own else timedelta(minutes=1))


def _start(values: dict[str, Any], clock: _Clock) -> datetime | None:
    at, stated = values.pop("at", None), values.pop("event_time", None)
    if stated is not None:
        try:
            moment = datetime.fromisoformat(str(stated))
        except ValueError:
            return None
        return moment if moment.tzinfo else None
    if at is None:
        return clock.next
    distance = _offset(at)
    return None if distance is None else START + distance


def _offset(value: object) -> timedelta | None:
    match = _OFFSET.fullmatch("".join(str(value).split()))
    if match is None:
        return None
    found = re.findall(r"([0-9]+)([dhms])", match[2])
    seconds = sum(int(number) * _SECONDS[unit] for number, unit in found)
    return timedelta(seconds=-seconds if match[1] == "-" else seconds)


def _filled(value: Any, i: int) -> Any:
    if isinstance(value, str):
        return value.replace("{i}", str(i))
    if isinstance(value, dict):
        return {key: _filled(item, i) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, i) for item in value]
    return value


def _rates(fields: Fields, base: str, errors: list[RuleError]) -> list[Rate]:
    node = fields.get("rates")
    found: list[Rate] = []
    for item in node.items if node is not None else ():
        entry = Fields(item, errors, frozenset({"date", "currency", "rate"}))
        entry.require("date", "currency", "rate")
        plain = item.plain() if item.kind == "map" else {}
        try:
            day = datetime.fromisoformat(str(plain.get("date"))).date()
            found.append(Rate(day, str(plain.get("currency")), base, Decimal(str(plain.get("rate")))))
        except (ValueError, ArithmeticError):
            entry.refuse(item, "a rate is {date: 2026-01-05, currency: USD, rate: 0.92}")
    return found


class _Maker:
    """Makes canonical events from items."""

    def __init__(self, base: str, rates: Sequence[Rate], errors: list[RuleError]) -> None:
        self._base = base
        self._rates = Rates(base, rates)
        self._errors = errors

    def table(self, items: Sequence[_Item], order: Sequence[int]) -> pa.Table:
        rows = [self._row(item, seq, order[seq]) for seq, item in enumerate(items)]
        try:
            table = pa.Table.from_pylist(rows, schema=pa.schema([f.with_nullable(True) for f in CANONICAL]))
        except (pa.ArrowException, TypeError, ValueError) as error:
            self._errors.append(items[0].node.error(f"an event's value does not fit its column: {error}"))
            return CANONICAL.empty_table()
        return self._converted(table)

    def _row(self, item: _Item, seq: int, listed: int) -> dict[str, Any]:
        row: dict[str, Any] = dict.fromkeys(CANONICAL.names)
        row |= {
            "event_id": f"e{listed}",
            "source": "test",
            "time_resolution": "us",
            "kind": "payment",
            "mode": "live",
            "entity": "default",
            "unconverted": False,
            "auth_is_final": False,
            "base_currency": self._base,
        }
        for name, value in item.values.items():
            if name != "amount" and value is not None:
                row[name] = self._value(name, value)
        row["ingest_seq"], row["event_time"] = seq, item.time
        if row["kind"] not in KINDS:
            self._errors.append(item.node.error(f"kind '{row['kind']}' is not one of {', '.join(KINDS)}"))
        self._money(item, row)
        return row

    def _value(self, name: str, value: Any) -> Any:
        kind = FIELD_BY_NAME[name].type
        if name == "holders":
            return [self._holder(h) for h in value]
        if name == "attributes":
            return [(str(k), _plain_text(v)) for k, v in dict(value).items() if v is not None]
        if pa.types.is_string(kind):
            return _plain_text(value)
        return float(value) if pa.types.is_floating(kind) else value

    def _holder(self, holder: Mapping[str, Any]) -> dict[str, Any]:
        moments = {}
        for name in ("valid_from", "valid_to"):
            stated = holder.get(name, holder.get(name.removeprefix("valid_")))
            moment = datetime.fromisoformat(str(stated)) if stated is not None else None
            moments[name] = moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment
        return {"party": str(holder["party"]), "role": holder.get("role", "owner"), **moments}

    def _money(self, item: _Item, row: dict[str, Any]) -> None:
        amount, currency = item.values.get("amount"), row["currency"]
        if currency is None and row["kind"] in VALUE_KINDS:
            currency = row["currency"] = self._base
        if currency is not None and currency not in EXPONENTS:
            self._errors.append(item.node.error(f"currency '{currency}' is not an ISO 4217 code"))
            return
        if amount is None:
            return
        try:
            minor = Decimal(str(amount)).scaleb(EXPONENTS[currency or self._base])
        except ArithmeticError:
            minor = Decimal("0.5")
        if minor != minor.to_integral_value():
            self._errors.append(item.node.error(f"amount {amount} is not in whole minor units of {currency}"))
            return
        row["amount_minor"] = int(minor)

    def _converted(self, table: pa.Table) -> pa.Table:
        minor = table.column("amount_minor").combine_chunks()
        has = minor.is_valid().to_numpy(zero_copy_only=False)
        days = table.column("event_time").cast(pa.date32()).cast(pa.int32()).to_numpy()
        found = self._rates.convert(
            table.column("currency").combine_chunks(),
            minor.fill_null(0).to_numpy(),
            has,
            days.astype(np.int32),
        )
        columns = {
            "amount_base_minor": found.base_minor,
            "rate_date": found.rate_date,
            "unconverted": pa.array(found.unconverted),
        }
        for name, values in columns.items():
            table = table.set_column(table.schema.get_field_index(name), name, values)
        return table.cast(pa.schema([f.with_nullable(True) for f in CANONICAL]))


def _plain_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
