"""Exchange rates: `rates.csv` read once, looked up by date, applied exactly.

A row ``date,currency,base,rate`` says that on that UTC date one major unit of `currency` is worth `rate`
major units of `base`. The latest row not after an event's date counts, at most `MAX_AGE_DAYS` old.
Rounding is half to even on exact integers. Never fetches rates and never inverts or chains them.
"""

from __future__ import annotations

import csv
import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa

from txmon.errors import ConfigError
from txmon.model.currencies import EXPONENTS
from txmon.model.money import INT64_MAX, divide_half_even, scale_half_even

MAX_AGE_DAYS = 7
COLUMNS = ("date", "currency", "base", "rate")
_RATE = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?")
_EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True)
class Rate:
    """One row of `rates.csv`."""

    date: dt.date
    currency: str
    base: str
    rate: Decimal


@dataclass(frozen=True)
class Converted:
    """Amounts in minor units of the base currency, the date of each rate, and where there was none."""

    base_minor: pa.Array  # int64, null where unconverted or without an amount
    rate_date: pa.Array  # date32, null for the base currency itself
    unconverted: np.ndarray  # bool: an amount without a usable rate
    too_large: np.ndarray  # bool: the result leaves 64 bits; base_minor is null there


@dataclass(frozen=True)
class _Series:
    days: np.ndarray  # int32 days since the epoch, ascending
    numerators: tuple[int, ...]  # rate * 10**scale
    scale: int


class Rates:
    """The rates of one base currency."""

    def __init__(self, base_currency: str, rows: Iterable[Rate] = ()) -> None:
        """Keep the rows whose base is `base_currency`.

        Raises:
            ConfigError: an unknown currency, or two different rates of one currency and date.
        """
        if base_currency not in EXPONENTS:
            raise ConfigError(f"base currency '{base_currency}' is not an ISO 4217 code with a minor unit")
        self.base_currency = base_currency
        found: dict[str, dict[int, Decimal]] = {}
        for row in rows:
            if row.base != base_currency or row.currency == base_currency:
                continue
            series = found.setdefault(row.currency, {})
            day = (row.date - _EPOCH).days
            if series.setdefault(day, row.rate) != row.rate:
                raise ConfigError(
                    f"rates: two rates for {row.currency} in {row.base} on {row.date}; keep one"
                )
        self._series = {code: _make_series(by_day) for code, by_day in found.items()}

    @property
    def has_rates(self) -> bool:
        """Whether any currency but the base currency converts."""
        return bool(self._series)

    def convert(self, currency: pa.Array, minor: np.ndarray, has: np.ndarray, days: np.ndarray) -> Converted:
        """Convert amounts to the base currency.

        Args:
            currency: text or dictionary array of ISO codes.
            minor: int64 minor units of each row's currency.
            has: bool, rows that have an amount.
            days: int32 UTC dates of the events, days since the epoch.
        """
        n = len(minor)
        coded = currency if pa.types.is_dictionary(currency.type) else currency.dictionary_encode()
        codes: list[str | None] = coded.dictionary.to_pylist()
        index = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        base, dated = np.zeros(n, np.int64), np.zeros(n, np.int32)
        known, with_date = np.zeros(n, bool), np.zeros(n, bool)
        too_large = np.zeros(n, bool)
        for i, code in enumerate(codes):
            rows = (index == i) & has
            if code is None or not rows.any():
                continue
            if code == self.base_currency:
                base[rows], known[rows] = minor[rows], True
                continue
            found, position, fits, value = self._convert_one(code, minor[rows], days[rows])
            base[rows], known[rows], with_date[rows] = value, found & fits, found
            too_large[rows] = found & ~fits
            if code in self._series:
                dated[rows] = self._series[code].days[position]
        return Converted(
            pa.array(base, mask=~known),
            pa.array(dated, pa.int32(), mask=~with_date).cast(pa.date32()),
            has & ~known & ~too_large,
            too_large,
        )

    def fx_minor(self, currency: str, minor: int, dates: pa.Array | np.ndarray) -> pa.Array:
        """Return what `minor` units of `currency` are worth at each date, in base minor units (int64).

        `dates` is date32 or int32 days since the epoch, null allowed; the result is null where the date
        is null or there is no usable rate. Equal to rounding each conversion by itself.
        """
        values = dates if isinstance(dates, pa.Array) else pa.array(dates)
        missing = values.is_null().to_numpy(zero_copy_only=False)
        days = values.cast(pa.int32()).fill_null(0).to_numpy(zero_copy_only=False)
        if currency == self.base_currency:
            return pa.array(np.full(len(days), minor, np.int64), mask=missing)
        series = self._series.get(currency)
        if series is None:
            return pa.nulls(len(days), pa.int64())
        found, position = _look_up(series, days)
        worth = np.zeros(len(series.days), np.int64)
        for p in np.unique(position[found]):
            up, down = _ratio(series, currency, self.base_currency)
            value = divide_half_even(minor * series.numerators[p] * up, down)
            worth[p] = value if abs(value) <= INT64_MAX else INT64_MAX
        return pa.array(worth[position], mask=missing | ~found)

    def _convert_one(
        self, code: str, minor: np.ndarray, days: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return (rate found, its position, result fits, result) for rows of one currency."""
        series = self._series.get(code)
        if series is None:
            zeros = np.zeros(len(minor), np.int64)
            return zeros.astype(bool), zeros, zeros.astype(bool), zeros
        found, position = _look_up(series, days)
        up, down = _ratio(series, code, self.base_currency)
        numerators = [x * up for x in series.numerators]
        if max(numerators) <= INT64_MAX:
            value, fits = scale_half_even(minor, np.array(numerators, np.int64)[position], down)
            return found, position, fits, value
        exact = [divide_half_even(int(m) * numerators[p], down) for m, p in zip(minor, position, strict=True)]
        fits = np.array([abs(x) <= INT64_MAX for x in exact], bool)
        return (
            found,
            position,
            fits,
            np.array([x if f else 0 for x, f in zip(exact, fits, strict=True)], np.int64),
        )


def load_rates(path: Path | None, base_currency: str) -> Rates:
    """Read `rates.csv`; without a path only the base currency itself converts.

    Raises:
        ConfigError: the file cannot be read or a row is wrong; names file, line, value and remedy.
    """
    return Rates(base_currency, () if path is None else _read(path))


def _read(path: Path) -> list[Rate]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"rates file {path} cannot be read as UTF-8 text: {error}") from error
    reader = csv.DictReader(text.splitlines())
    if reader.fieldnames is None or not set(COLUMNS) <= set(reader.fieldnames):
        raise ConfigError(f"{path}:1: expected the header {','.join(COLUMNS)}")
    rows: list[Rate] = []
    seen: dict[tuple[dt.date, str, str], Decimal] = {}
    for record in reader:
        row = _row(record, f"{path}:{reader.line_num}")
        if seen.setdefault((row.date, row.currency, row.base), row.rate) != row.rate:
            raise ConfigError(
                f"{path}:{reader.line_num}: a second rate for {row.currency} in {row.base} on {row.date};"
                " keep one"
            )
        rows.append(row)
    return rows


def _row(record: Mapping[str, str | None], where: str) -> Rate:
    date, currency, base, rate = (record[name] or "" for name in COLUMNS)
    try:
        day = dt.date.fromisoformat(date)
    except ValueError as error:
        raise ConfigError(f"{where}: date '{date}' is not YYYY-MM-DD") from error
    for name, code in (("currency", currency), ("base", base)):
        if code not in EXPONENTS:
            raise ConfigError(f"{where}: {name} '{code}' is not an ISO 4217 code with a minor unit")
    if not _RATE.fullmatch(rate) or Decimal(rate) == 0:
        raise ConfigError(f"{where}: rate '{rate}' is not a positive decimal number of at most 18+18 digits")
    if currency == base and Decimal(rate) != 1:
        raise ConfigError(f"{where}: the rate of {base} in itself is 1, not {rate}")
    return Rate(day, currency, base, Decimal(rate))


def _make_series(by_day: Mapping[int, Decimal]) -> _Series:
    days = sorted(by_day)
    scale = max(max(0, -int(by_day[d].as_tuple().exponent)) for d in days)
    return _Series(np.array(days, np.int32), tuple(int(by_day[d].scaleb(scale)) for d in days), scale)


def _look_up(series: _Series, days: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where a usable rate exists and the position of each (0 where none)."""
    position = np.searchsorted(series.days, days, side="right") - 1
    at = np.maximum(position, 0)
    found = (position >= 0) & (days - series.days[at] <= MAX_AGE_DAYS)
    return found, np.where(found, at, 0)


def _ratio(series: _Series, currency: str, base: str) -> tuple[int, int]:
    """Return (up, down): minor units of `currency` times numerator times up / down are base minor units."""
    power = EXPONENTS[base] - EXPONENTS[currency] - series.scale
    return (10**power, 1) if power >= 0 else (1, 10**-power)
