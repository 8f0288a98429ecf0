"""What an institution would have on record of the people, firms and accounts of a simulated portfolio.

    write_records(events_path, folder)

Everybody is invented: names are drawn from short lists by the party's id, streets are called Example Street,
numbers carry the letters SIM. A nationality is on record because goAML demands one of customers (the country
of the address); other characteristics of persons are left out. Owns `parties.ndjson` and `accounts.ndjson` of
a simulation; reads its profile events only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from txmon.errors import ConfigError

_FIRST = ("Alba", "Benno", "Cira", "Dario", "Elva", "Fredo", "Gila", "Hanno", "Ilva", "Jaro", "Kira", "Lando")
_LAST = ("Invented", "Fictum", "Example", "Specimen", "Muster", "Nemo", "Placeholder", "Sample", "Somebody")
_COLUMNS = (
    "kind",
    "event_time",
    "account",
    "merchant",
    "merchant_country",
    "mcc",
    "city",
    "holders",
    "attributes",
)
CURRENCY = "EUR"  # of every account of a simulation
_BORN, _YEARS = date(1955, 1, 1), 45


def write_records(events: Path, folder: Path) -> tuple[int, int]:
    """Write the records of a file that `txmon simulate` wrote; returns how many parties and accounts.

    Raises:
        ConfigError: a file cannot be read or written.
    """
    parties: dict[str, dict[str, Any]] = {}
    accounts: dict[str, dict[str, Any]] = {}
    try:
        for row in _profiles(events):
            if row["kind"] == "account.opened":
                _account(row, parties, accounts)
            else:
                _merchant(row, parties, accounts)
        folder.mkdir(parents=True, exist_ok=True)
        for name, found in (("parties", parties), ("accounts", accounts)):
            lines = (json.dumps(each, ensure_ascii=False) + "\n" for each in found.values())
            (folder / f"{name}.ndjson").write_text("".join(lines), encoding="utf-8")
    except (OSError, pa.ArrowInvalid) as error:
        raise ConfigError(f"records of {events} cannot be made below {folder}: {error}") from error
    return len(parties), len(accounts)


def _profiles(events: Path) -> Iterator[Mapping[str, Any]]:
    wanted = pc.field("kind").isin(["account.opened", "merchant.onboarded"])
    table = pq.read_table(events, columns=list(_COLUMNS), filters=wanted).sort_by("event_time")
    for row in table.to_pylist():
        yield row | {"attributes": dict(row["attributes"] or ())}


def _account(row: Mapping[str, Any], parties: dict[str, Any], accounts: dict[str, Any]) -> None:
    known, account_id = row["attributes"], row["account"]
    business = known.get("type") == "business"
    holders = [{"party_id": each["party"], "role": each["role"]} for each in row["holders"] or ()]
    for each in row["holders"] or ():
        if each["party"] not in parties:
            parties[each["party"]] = _person(each["party"], known)
    accounts[account_id] = {
        "account_id": account_id,
        "number": f"SIM{account_id.upper().replace('_', '')}",
        "kind": "business" if business else "current",
        "currency": CURRENCY,
        "is_client": True,
        "holders": holders,
        "opened_on": row["event_time"].date().isoformat(),
        "status": "active",
    }


def _merchant(row: Mapping[str, Any], parties: dict[str, Any], accounts: dict[str, Any]) -> None:
    merchant_id = row["merchant"]
    where = {"home_country": row["merchant_country"], "home_city": row["city"]}
    owner = f"{merchant_id}_owner"
    day = row["event_time"].date().isoformat()
    firm = _firm(merchant_id, where, day)
    firm["entity"] |= {"mcc": row["mcc"] or "", "owners": [{"party_id": owner, "role": "director"}]}
    parties |= {merchant_id: firm, owner: _person(owner, where)}
    accounts[merchant_id] = {
        "account_id": merchant_id,
        "number": f"SIM{merchant_id.upper().replace('_', '')}",
        "kind": "merchant",
        "currency": CURRENCY,
        "is_client": True,
        "holders": [{"party_id": merchant_id, "role": "owner"}, {"party_id": owner, "role": "authorised"}],
        "opened_on": day,
        "status": "active",
    }


def _person(party_id: str, known: Mapping[str, str]) -> dict[str, Any]:
    draw = _draw(party_id)
    born = _BORN + timedelta(days=draw % (_YEARS * 365))
    country = known.get("home_country", "")
    return {
        "party_id": party_id,
        "kind": "natural_person",
        "is_client": True,
        "person": {
            "first_name": _FIRST[draw // 7 % len(_FIRST)],
            "last_name": _LAST[draw // 101 % len(_LAST)],
            "born_on": born.isoformat(),
            "nationalities": [country],
            "residence": country,
            "occupation": known.get("activity", ""),
        },
        "identifiers": [_paper("national_id", party_id, country)],
        "addresses": [_address(draw, known, "home")],
        "phones": [{"number": f"555{draw % 10_000:04d}", "prefix": "0", "use": "home", "mobile": True}],
    }


def _firm(party_id: str, known: Mapping[str, str], day: str) -> dict[str, Any]:
    draw = _draw(party_id)
    country = known.get("home_country", "")
    return {
        "party_id": party_id,
        "kind": "entity",
        "is_client": True,
        "entity": {
            "name": f"{_LAST[draw // 101 % len(_LAST)]} {_FIRST[draw // 7 % len(_FIRST)]} Ltd",
            "registration_number": f"SIM{draw % 1_000_000:06d}",
            "registration_country": country,
            "registered_on": day,
            "business": known.get("activity", "") or "trade",
        },
        "identifiers": [_paper("registration", party_id, country)],
        "addresses": [_address(draw, known, "business")],
        "phones": [{"number": f"555{draw % 10_000:04d}", "prefix": "0", "use": "business"}],
    }


def _paper(kind: str, party_id: str, country: str) -> dict[str, str]:
    number = f"SIM{_draw(party_id) % 10**9:09d}"
    days = {"issued_on": "2020-01-01", "expires_on": "2040-01-01"}
    return {"kind": kind, "number": number, "country": country, "issued_by": "Simulation"} | days


def _address(draw: int, known: Mapping[str, str], use: str) -> dict[str, str]:
    return {
        "street": f"{draw % 200 + 1} Example Street",
        "city": known.get("home_city", "") or "Simulated",
        "postcode": f"{draw % 90_000 + 10_000}",
        "country": known.get("home_country", ""),
        "use": use,
    }


def _draw(party_id: str) -> int:
    return int.from_bytes(hashlib.sha256(party_id.encode()).digest()[:6], "big")
