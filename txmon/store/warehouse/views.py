"""SQL of the views that analysts read. Owns the texts; runs nothing.

`events` names the very files that the catalogue counts, so it changes in the transaction that changes
them: a reader sees one moment of files, hits and alerts. The other views are made from it.
"""

# ruff: noqa: S608 - names are our own; values are parameters or quoted

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from txmon.model.currencies import EXPONENTS
from txmon.model.profile import PROFILE_FIELDS, ProfileField
from txmon.model.schema import NEGATIVE_KINDS, VALUE_KINDS

_PLAIN = {"text": "varchar", "bool": "boolean", "int": "bigint", "time": "timestamp"}


def quoted(text: str) -> str:
    """A text as SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def events(folder: Path, names: Iterable[str], no_events: str) -> str:
    """Statement that makes `events` of files below a folder; `no_events` is an empty table of their form."""
    files = [quoted(str(folder / name)) for name in names]
    source = (
        f"read_parquet([{', '.join(files)}], hive_partitioning = true, hive_types = {{'day': date}})"
        if files
        else no_events
    )
    money = (
        f"{_major('amount_base_minor', 'base_currency')} as amount, "
        f"{_major('amount_minor', 'currency')} as amount_original"
    )
    signed = f"case when kind in {_texts(NEGATIVE_KINDS)} then -amount else amount end as signed_amount"
    return (
        f"create or replace view events as select *, {MOVED} as moved, {signed} "
        f"from (select *, {money} from {source})"
    )


def _texts(values: Iterable[str]) -> str:
    return "(" + ", ".join(quoted(v) for v in values) + ")"


def _major(minor: str, currency: str) -> str:
    """Exact major units: minor units times a power of ten."""
    places: dict[int, list[str]] = {}
    for code, exponent in sorted(EXPONENTS.items()):
        if exponent != 2:
            places.setdefault(exponent, []).append(code)
    cases = " ".join(
        f"when {currency} in {_texts(codes)} then {_scale(exponent)}"
        for exponent, codes in sorted(places.items())
    )
    return f"{minor}::decimal(24,0) * (case {cases} else {_scale(2)} end)"


def _scale(exponent: int) -> str:
    return f"{10.0**-exponent:.4f}::decimal(5,4)"


# of an event: whether it moved value
MOVED = (
    "((kind in " + _texts(k for k in VALUE_KINDS if k != "authorization")
    + " or (kind = 'authorization' and auth_is_final))"
    + " and coalesce(status, 'settled') in ('approved', 'settled'))"
)  # fmt: skip


def _leg(direction: str, account: str, counterparty: str, place: int) -> str:
    return (
        f"select {quoted(direction)} as direction, {account} as account, "
        f"{account}_country as account_country, {counterparty} as counterparty, "
        f"{counterparty}_country as counterparty_country, 2 * ingest_seq + {place} as leg_order, * "
        f"from events where {account} is not null and kind in {_texts(VALUE_KINDS)}"
    )


LEGS = (
    "create or replace view legs as "
    f"{_leg('out', 'payer', 'payee', 0)} union all {_leg('in', 'payee', 'payer', 1)}"
)


def _value(field: ProfileField) -> str:
    """What a profile event says of a field."""
    if field.type == "time":
        start = "account.opened" if field.name == "opened_time" else "merchant.onboarded"
        return f"case when kind = {quoted(start)} then event_time end"
    value = field.column or f"attributes[{quoted(field.name)}]"
    if field.type == "bool":
        return f"lower(trim({value})) in ('true', '1', 'yes')"
    return f"try_cast({value} as bigint)" if field.type == "int" else value


def _profile(subject: str) -> str:
    """Versions of the profiles of accounts, merchants or parties, each with the fields as they stand."""
    shown = []
    for name, kind in _COLUMNS.items():
        mine = [f for f in PROFILE_FIELDS if (f.entity, f.name) == (subject, name)]
        value = f"last_value({_value(mine[0])} ignore nulls) over so_far" if mine else f"null::{kind}"
        shown.append(f'{value} as "{name}"')
    holders = "last_value(holders ignore nulls) over so_far" if subject == "account" else "null"
    return (
        f"select {quoted(subject)} as subject_type, {subject} as subject_id, entity, mode, "
        "event_time as valid_from, lead(event_time) over whole as valid_to, "
        f"ingest_seq, kind, {', '.join(shown)}, {holders} as holders, attributes "
        f"from events where {subject} is not null and starts_with(kind, {quoted(subject + '.')}) "
        f"window whole as (partition by entity, mode, {subject} order by event_time, ingest_seq), "
        f"so_far as (partition by entity, mode, {subject} order by event_time, ingest_seq "
        "rows between unbounded preceding and current row)"
    )


_COLUMNS = {field.name: _PLAIN[field.type] for field in PROFILE_FIELDS}
PROFILES = (
    "create or replace view profiles as select * from ("
    + " union all ".join(_profile(subject) for subject in ("account", "merchant", "party"))
    + ") where valid_to is null or valid_to > valid_from"
)
STATIC = (LEGS, PROFILES)
NAMES = ("events", "legs", "hits", "alerts", "alert_hits", "profiles")
