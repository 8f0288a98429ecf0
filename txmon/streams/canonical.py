"""Assembles canonical events from mapped columns: defaults, required fields, money, time, tokens.

Owns the rules that tie canonical columns together (which kinds need money, what a negative amount
means); never knows the source's own columns. Whole columns at a time; a row that fails is a fault and
never stops the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import available_timezones

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from txmon.model.currencies import exponents
from txmon.model.money import Fault as MoneyFault
from txmon.model.money import minor_units
from txmon.model.pan import Tokeniser
from txmon.model.rates import Rates
from txmon.model.schema import (
    AMOUNT_MINOR_MAX,
    FIELDS,
    KINDS,
    MODES,
    RESOLUTIONS,
    STATUSES,
    TIME,
    VALUE_KINDS,
)
from txmon.model.times import US_PER_DAY, TimeFault, to_utc_us
from txmon.streams.faults import Faults, Reason
from txmon.streams.feed import Feed
from txmon.streams.nested import ATTRIBUTES, HOLDERS, to_attributes, to_holders
from txmon.streams.values import (
    constant,
    lookup,
    mask_of,
    nothing,
    one_of,
    says,
    to_bool,
    to_float,
    to_text,
    unremarkable,
    value_text,
)

EVENTS_SCHEMA: pa.Schema = pa.schema([pa.field(f.name, f.type) for f in FIELDS if f.name != "ingest_seq"])
ID_FIELDS = frozenset(
    (
        "event_id",
        "source",
        "entity",
        "payer",
        "payee",
        "account",
        "party",
        "merchant",
        "sub_merchant",
        "terminal",
        "device",
        "ip",
        "related_event_id",
    )
)
# what each profile kind is about, and so must name
_MADE_HERE = frozenset({"amount_base_minor", "base_currency", "rate_date", "unconverted"})
_IDENTITY = {"account.": "account", "merchant.": "merchant", "party.": "party", "device.": "device"}
_TEXTS = tuple(f.name for f in FIELDS if f.type == pa.string() and f.name not in (*_MADE_HERE, "card"))
_FEW = 256  # rows; in a small batch each step costs by columns, so columns are looked at together
_FEW_WORDS = frozenset(("kind", "status", "mode", "time_resolution", "currency"))
_SWAPPED = (("payer", "payee"), ("payer_country", "payee_country"))
Columns = dict[str, pa.Array]


@dataclass(frozen=True)
class Context:
    """What is the same for every chunk of a source."""

    feed: Feed
    tokeniser: Tokeniser
    rates: Rates
    entity: str = "default"  # of events that name none
    mode: str = "live"


def canonical(mapped: Mapping[str, pa.Array], rows: int, context: Context, faults: Faults) -> pa.Table:
    """Return events of the rows, in `EVENTS_SCHEMA` order; rows with a fault hold rubbish until filtered.

    Text columns are string or dictionary<int32, string>. `mapped` may also hold ``amount`` in major
    units, and ``mode`` as a flag (true is live).
    """
    columns: Columns = {}
    _times(mapped, rows, context.feed, faults, columns)
    _texts(mapped, rows, context, faults, columns)
    _kinds(columns, faults)
    _money(mapped, rows, context, faults, columns)
    _cards(mapped, rows, context, faults, columns)
    columns["lat"] = _number(mapped, "lat", 90.0, rows, faults)
    columns["lon"] = _number(mapped, "lon", 180.0, rows, faults)
    final = mapped.get("auth_is_final")
    columns["auth_is_final"] = (
        pa.array(np.full(rows, context.feed.auth_is_final))
        if final is None
        else to_bool(final, "auth_is_final", faults).fill_null(context.feed.auth_is_final)
    )
    for name, kind, convert in (("attributes", ATTRIBUTES, to_attributes), ("holders", HOLDERS, to_holders)):
        given = mapped.get(name)
        columns[name] = pa.nulls(rows, kind) if given is None else convert(given, faults, context.tokeniser)
    return pa.table([columns[n] for n in EVENTS_SCHEMA.names], names=EVENTS_SCHEMA.names)


def _times(mapped: Mapping[str, pa.Array], rows: int, feed: Feed, faults: Faults, out: Columns) -> None:
    values = mapped.get("event_time", pa.nulls(rows))
    us, fault = to_utc_us(values, feed.time_zone, local_text=not feed.native)
    if fault.any():
        remedy = "is not a time: send a timestamp or RFC 3339 text with an offset, 2026-01-05T12:00:00Z"
        faults.add(
            fault == TimeFault.NULL, "event_time", Reason.MISSING, says(values, "event_time is missing")
        )
        faults.add(fault == TimeFault.NOT_A_TIME, "event_time", Reason.BAD_TIME, says(values, remedy))
    bounds = feed.bounds
    outside = (us < bounds.time_from_us) | (us > bounds.time_to_us)
    outside = (outside & (fault == TimeFault.NONE)) | (fault == TimeFault.OUT_OF_RANGE)
    faults.add(outside, "event_time", Reason.TIME_RANGE, says(values, "is outside the feed's time bounds"))
    out["event_time"] = pa.array(us).cast(TIME)


def _texts(mapped: Mapping[str, pa.Array], rows: int, context: Context, faults: Faults, out: Columns) -> None:
    feed = context.feed
    defaults = {
        "source": feed.source,
        "kind": "payment",
        "mode": context.mode,
        "entity": context.entity,
        "time_resolution": feed.time_resolution,
    }
    clean = unremarkable({name: mapped[name] for name in _TEXTS if name in mapped}) if rows <= _FEW else ()
    for name in _TEXTS:
        given = mapped.get(name)
        if given is None:
            out[name] = constant(defaults.get(name), rows)
            continue
        if name in clean:
            text = given
        else:
            text = to_text(given, name, faults, repeats=name not in ("event_id", "related_event_id"))
        if name == "mode":
            text = _mode(text)
        if name not in clean:
            text = context.tokeniser.column(text, id_field=name in ID_FIELDS)
        if text.null_count and name in defaults:
            text = _filled(text, defaults[name])
        if name in _FEW_WORDS and not pa.types.is_dictionary(text.type):
            text = text.dictionary_encode()  # it is looked up again and again
        out[name] = text
    missing = mask_of(out["event_id"].is_null())
    faults.add(missing, "event_id", Reason.MISSING, nothing("event_id is missing; every event has one"))


def _mode(text: pa.Array) -> pa.Array:
    """Read a flag, or its text, as live or test."""
    coded = text if pa.types.is_dictionary(text.type) else text.dictionary_encode()
    flags = {"true": "live", "false": "test"}
    words = [w if w is None else flags.get(w.lower(), w) for w in coded.dictionary.to_pylist()]
    return pa.array(words, pa.string()).take(coded.indices).dictionary_encode()


def _filled(text: pa.Array, default: str) -> pa.Array:
    if text.null_count == len(text):
        return constant(default, len(text))
    plain = text.dictionary_decode() if pa.types.is_dictionary(text.type) else text
    return plain.fill_null(default)


def _kinds(columns: Columns, faults: Faults) -> None:
    """Check the columns that have a fixed set of values, and the identity that profile kinds need."""
    for name, values in (
        ("kind", KINDS),
        ("status", STATUSES),
        ("mode", MODES),
        ("time_resolution", RESOLUTIONS),
    ):
        allowed = frozenset(values)
        remedy = f"send one of {', '.join(values)}, or map it in the feed"
        one_of(columns[name], name, allowed.__contains__, faults, remedy)
    one_of(columns["tz"], "tz", _is_zone, faults, "send an IANA zone such as Europe/Paris")
    for prefix, identity in _IDENTITY.items():
        _needs(columns, prefix, identity, faults)


def _needs(columns: Columns, prefix: str, identity: str, faults: Faults) -> None:
    """Record profile events that do not name what they are about."""

    def concerns(kind: str | None) -> bool:
        return kind is not None and kind.startswith(prefix)

    about = lookup(columns["kind"], concerns)
    if about.any():
        absent = about & mask_of(columns[identity].is_null())
        faults.add(
            absent, identity, Reason.MISSING, nothing(f"{identity} is missing; a {prefix}* event names it")
        )


def _money(mapped: Mapping[str, pa.Array], rows: int, context: Context, faults: Faults, out: Columns) -> None:
    """Fill amount_minor, the base currency columns and, for feeds that map signs, who paid whom."""
    currency, moves = out["currency"], lookup(out["kind"], frozenset(VALUE_KINDS).__contains__)
    exponent = exponents(currency)
    unknown = (exponent < 0) & mask_of(currency.is_valid())
    faults.add(
        unknown,
        "currency",
        Reason.UNKNOWN_CURRENCY,
        says(currency, "is not an ISO 4217 code with a minor unit"),
    )
    absent = moves & mask_of(currency.is_null())
    faults.add(absent, "currency", Reason.MISSING, nothing("currency is missing; give its ISO 4217 code"))
    minor, has = _amount(mapped, rows, exponent, faults)
    faults.add(
        moves & ~has & (exponent >= 0),
        "amount",
        Reason.MISSING,
        nothing("amount is missing; give amount (major units) or amount_minor"),
    )
    given = mapped.get("amount", mapped.get("amount_minor", pa.nulls(rows)))
    _bound(minor, exponent, given, context.feed, faults)
    _signs(minor, given, context.feed, faults, out)
    days = (out["event_time"].cast(pa.int64()).to_numpy() // US_PER_DAY).astype(np.int32)
    converted = context.rates.convert(currency, minor, has, days)
    huge = converted.too_large
    if rows and not huge.all() and context.rates.has_rates:
        base = converted.base_minor.fill_null(0).to_numpy(zero_copy_only=False)
        huge = huge | (np.abs(base) > AMOUNT_MINOR_MAX)
    faults.add(huge, "amount", Reason.AMOUNT_BOUND, says(given, "is too large in the base currency"))
    out["amount_minor"] = pa.array(minor) if has.all() else pa.array(minor, mask=~has)
    out["amount_base_minor"] = converted.base_minor
    out["base_currency"] = constant(context.rates.base_currency, rows)
    out["rate_date"] = converted.rate_date
    out["unconverted"] = pa.array(converted.unconverted)


def _amount(
    mapped: Mapping[str, pa.Array], rows: int, exponent: np.ndarray, faults: Faults
) -> tuple[np.ndarray, np.ndarray]:
    """Return minor units and which rows have an amount, from `amount` or `amount_minor` or both."""
    major, direct = mapped.get("amount"), mapped.get("amount_minor")
    minor, has = np.zeros(rows, np.int64), np.zeros(rows, bool)
    if direct is not None:
        minor, fault = minor_units(_no_empty(direct), np.where(exponent < 0, exponent, 0).astype(np.int8))
        has = fault == MoneyFault.NONE
        _amount_faults(fault, direct, "amount_minor", faults)
    if major is not None:
        value, fault = minor_units(_no_empty(major), exponent)
        fine = fault == MoneyFault.NONE
        _amount_faults(fault, major, "amount", faults)
        message = "disagrees with amount_minor; send one of them"
        faults.add(fine & has & (value != minor), "amount", Reason.AMOUNT_CONFLICT, says(major, message))
        minor, has = np.where(has, minor, value), has | fine
    return minor, has


def _no_empty(values: pa.Array) -> pa.Array:
    """Empty text is no amount, as in every other column."""
    plain = values.dictionary_decode() if pa.types.is_dictionary(values.type) else values
    text = pa.types.is_string(plain.type) or pa.types.is_large_string(plain.type)
    return pc.if_else(pc.equal(plain, ""), None, plain) if text else plain


def _amount_faults(fault: np.ndarray, values: pa.Array, field: str, faults: Faults) -> None:
    if not fault.any():
        return
    for code, reason, message in (
        (MoneyFault.NOT_A_NUMBER, Reason.BAD_TYPE, "is not a number; write 12.50, without grouping"),
        (MoneyFault.FRACTION, Reason.AMOUNT_PRECISION, "is finer than the currency's minor unit"),
        (MoneyFault.TOO_LARGE, Reason.AMOUNT_BOUND, f"is beyond {AMOUNT_MINOR_MAX} minor units"),
    ):
        faults.add(fault == code, field, reason, says(values, message))


def _bound(minor: np.ndarray, exponent: np.ndarray, given: pa.Array, feed: Feed, faults: Faults) -> None:
    limit = np.full(len(minor), AMOUNT_MINOR_MAX, np.int64)
    if feed.bounds.amount_max is not None:
        for e in np.unique(exponent[exponent >= 0]).tolist():
            bound = min(int(feed.bounds.amount_max.scaleb(e)), AMOUNT_MINOR_MAX)
            limit[exponent == e] = bound
    beyond = np.abs(minor) > limit
    faults.add(beyond, "amount", Reason.AMOUNT_BOUND, says(given, "is beyond the feed's bound for amounts"))


def _signs(minor: np.ndarray, given: pa.Array, feed: Feed, faults: Faults, out: Columns) -> None:
    """Turn negative amounts as the feed says, in place: amount made positive, payer and payee exchanged."""
    negative = minor < 0
    if not negative.any():
        return
    if feed.negative is None:
        message = (
            "is negative; send the kind that says why (refund, reversal) with payer and payee as money moved"
        )
        faults.add(negative, "amount", Reason.NEGATIVE_AMOUNT, says(given, message))
        return
    np.negative(minor, out=minor, where=negative)
    turned = pa.array(negative)
    plain = {
        n: out[n].dictionary_decode() if pa.types.is_dictionary(out[n].type) else out[n]
        for n in ("kind", *(c for pair in _SWAPPED for c in pair))
    }
    out["kind"] = pc.if_else(turned, feed.negative, plain["kind"])
    for a, b in _SWAPPED:
        out[a], out[b] = pc.if_else(turned, plain[b], plain[a]), pc.if_else(turned, plain[a], plain[b])


def _cards(mapped: Mapping[str, pa.Array], rows: int, context: Context, faults: Faults, out: Columns) -> None:
    """Fill `card` with tokens; where a full number stood, also first six and last four digits."""
    prepaid = mapped.get("card_prepaid")
    out["card_prepaid"] = (
        pa.nulls(rows, pa.bool_()) if prepaid is None else to_bool(prepaid, "card_prepaid", faults)
    )
    given = mapped.get("card")
    if given is None:
        out["card"] = pa.nulls(rows, pa.string())
        return
    text = to_text(given, "card", faults)
    coded = text if pa.types.is_dictionary(text.type) else text.dictionary_encode()
    words: list[str | None] = coded.dictionary.to_pylist()
    cards = [None if w is None else context.tokeniser.card(w) for w in words]
    if all(c is None or c.value == w for c, w in zip(cards, words, strict=True)):
        out["card"] = text
        return
    index = coded.indices
    out["card"] = pa.array([c and c.value for c in cards], pa.string()).take(index).dictionary_encode()
    for name, kept in (
        ("card_bin", [c and c.bin for c in cards]),
        ("card_last4", [c and c.last4 for c in cards]),
    ):
        own = out[name].dictionary_decode() if pa.types.is_dictionary(out[name].type) else out[name]
        out[name] = pc.coalesce(own, pa.array(kept, pa.string()).take(index))


def _number(mapped: Mapping[str, pa.Array], name: str, limit: float, rows: int, faults: Faults) -> pa.Array:
    given = mapped.get(name)
    return pa.nulls(rows, pa.float64()) if given is None else to_float(given, name, limit, faults)


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _is_zone(name: str) -> bool:
    return name in _zones()


def event_id_text(columns: Mapping[str, pa.Array], row: int) -> str | None:
    """Return the event_id of a mapped row as text, if it has one."""
    given = columns.get("event_id")
    return None if given is None else value_text(given, row) or None
