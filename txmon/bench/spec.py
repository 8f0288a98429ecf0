"""What is measured: features and threshold rules, in a form that every engine can be given.

Owns names and meaning; renders nothing. Money is in minor units, windows in microseconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from txmon.errors import ConfigError

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
WINDOWS: dict[str, int] = {"1h": HOUR_US, "24h": DAY_US, "7d": 7 * DAY_US, "30d": 30 * DAY_US}
LONG_WINDOWS: dict[str, int] = {"1h": HOUR_US, "180d": 180 * DAY_US}
KEYS = ("payer", "payee", "merchant")
AMOUNT = "amount"
# Names of columns that differ between a rule's text and the native feed.
NATIVE_NAMES = {"country": "payer_country"}


@dataclass(frozen=True)
class Measure:
    """One feature: `agg` (count, sum, distinct) over the rows of `key` in the last `span_us`.

    `of`: the column of a distinct count, empty otherwise.
    """

    key: str
    agg: str
    window: str
    of: str = ""

    @property
    def name(self) -> str:
        """Name of the column that holds it."""
        middle = {"count": "cnt", "sum": "sum"}.get(self.agg, f"d_{self.of}")
        return f"{self.key}_{middle}_{self.window}"

    @property
    def span_us(self) -> int:
        """Length of the window."""
        return (WINDOWS | LONG_WINDOWS)[self.window]

    @property
    def column(self) -> str:
        """Native column of a distinct count."""
        return NATIVE_NAMES.get(self.of, self.of)


@dataclass(frozen=True)
class Condition:
    """`measure` (or the event's own amount if None) reaches `threshold`."""

    measure: Measure | None
    threshold: int


@dataclass(frozen=True)
class BenchRule:
    """A hit where every condition holds; all its features have one key, which is its subject.

    `also`: features that it shows with a hit but sets no condition on.
    """

    id: str
    conditions: tuple[Condition, ...]
    also: tuple[Measure, ...] = ()

    @cached_property
    def measures(self) -> tuple[Measure, ...]:
        """Features it reads, each once."""
        read = (c.measure for c in self.conditions if c.measure is not None)
        return tuple(dict.fromkeys((*read, *self.also)))

    @property
    def subject(self) -> str:
        """Key of its features."""
        return self.measures[0].key

    @property
    def longest_us(self) -> int:
        """Length of its longest window."""
        return max(m.span_us for m in self.measures)


def parse_measure(name: str) -> Measure:
    """Read a feature's name, as ``payer_cnt_1h`` or ``merchant_d_country_7d``.

    Raises:
        ConfigError: it is none.
    """
    key, _, rest = name.partition("_")
    middle, _, window = rest.rpartition("_")
    if key in KEYS and window in (WINDOWS | LONG_WINDOWS):
        if middle in ("cnt", "sum"):
            return Measure(key, {"cnt": "count"}.get(middle, middle), window)
        if middle.startswith("d_"):
            return Measure(key, "distinct", window, middle.removeprefix("d_"))
    raise ConfigError(f"'{name}' is no feature of the workload; write <key>_<cnt|sum|d_column>_<window>")


def make_rule(rule_id: str, conditions: list[tuple[str, int]]) -> BenchRule:
    """Return a rule of named features and thresholds; the name ``amount`` is the event's own.

    Raises:
        ConfigError: a name is no feature, or the features have no key in common.
    """
    read = tuple(Condition(None if n == AMOUNT else parse_measure(n), int(t)) for n, t in conditions)
    rule = BenchRule(rule_id.lower(), read)
    if len({m.key for m in rule.measures}) != 1:
        raise ConfigError(f"rule {rule_id} needs features of exactly one key")
    return rule


def reading_all(rules: Iterable[BenchRule], measures: Iterable[Measure]) -> tuple[BenchRule, ...]:
    """Return the rules such that together they read all `measures`.

    What none reads is added to the rule of its key with the longest window, since a longest window
    decides how far a late event is evaluated again.
    """
    result = {r.id: r for r in rules}
    for measure in measures:
        if any(measure in r.measures for r in result.values()):
            continue
        host = max((r for r in result.values() if r.subject == measure.key), key=lambda r: r.longest_us)
        result[host.id] = replace(host, also=(*host.also, measure))
    return tuple(result.values())


# (key, column) of the distinct counts of the workload, each over a day and a week but for the last two.
_DISTINCT = (
    ("payer", "payee", ("24h", "7d")),
    ("payee", "payer", ("24h", "7d")),
    ("merchant", "payer", ("24h", "7d")),
    ("payer", "city", ("7d",)),
    ("merchant", "country", ("7d",)),
)


def workload_measures() -> tuple[Measure, ...]:
    """The 32 features that every engine computes, read by a rule or not."""
    plain = [Measure(k, agg, w) for agg in ("count", "sum") for k in KEYS for w in WINDOWS]
    return (*plain, *(Measure(k, "distinct", w, of) for k, of, windows in _DISTINCT for w in windows))


def one_window_measures(window: str) -> tuple[Measure, ...]:
    """The kinds of features of the workload, over one window alone."""
    plain = [Measure(k, agg, window) for agg in ("count", "sum") for k in KEYS]
    return (*plain, *(Measure(k, "distinct", window, of) for k, of, _ in _DISTINCT))
