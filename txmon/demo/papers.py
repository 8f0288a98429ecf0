"""The demo's papers: what the institution has on record, and bundles of the alert's evidence.

The institution and its records are invented and the events are simulated, so every report that is made of
them carries SIMULATED. Owns the names of the files; proving is done where it always is.
"""

from __future__ import annotations

import csv
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path

from txmon.clock import Clock, random_bytes
from txmon.errors import ConfigError
from txmon.evidence import bundle, signing
from txmon.evidence.custody import Maker
from txmon.model.rates import COLUMNS, MAX_AGE_DAYS
from txmon.simulate.records import write_records
from txmon.store import Store

PROFILES = ("internal", "court")
FILER, RECORDS, RATES = "filer.json", "records", "rates.csv"
KEY, PUBLIC_KEY = "evidence.key", "evidence-key.pem"
# what one euro is worth here: rounded, invented, the same every day; real rates come with the settings
_EURO = {"AED": "4.0", "USD": "1.1", "CAD": "1.5"}


def prepare(out: Path, events: Path, days: tuple[date, date]) -> None:
    """Write what the institution would have: who it is, records of customers, rates, a key for evidence.

    Raises:
        ConfigError: a file cannot be written.
    """
    write_records(events, out / RECORDS)
    (out / KEY).unlink(missing_ok=True)
    public = signing.public_pem(signing.make_key(out / KEY, random_bytes))
    try:
        (out / FILER).write_text(
            files("txmon.demo").joinpath("data", "institution.json").read_text("utf-8"), encoding="utf-8"
        )
        (out / PUBLIC_KEY).write_bytes(public)
        with (out / RATES).open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(COLUMNS)
            day, last = days
            while day <= last + timedelta(days=MAX_AGE_DAYS):
                rows.writerows((day.isoformat(), "EUR", base, rate) for base, rate in _EURO.items())
                day += timedelta(days=MAX_AGE_DAYS)
    except OSError as error:
        raise ConfigError(f"cannot write below {out}: {error.strerror}; choose another --out") from error


def bundles(store: Store, alert_id: str, out: Path, clock: Clock) -> list[Path]:
    """Write bundles of the alert's evidence, signed with the key made for this demonstration.

    Raises:
        as `txmon.evidence.bundle.export`.
    """
    for each in PROFILES:
        (out / f"evidence-{each}.zip").unlink(missing_ok=True)
    key = signing.load_key(out / KEY)
    maker = Maker("Ana", "a demonstration", clock.now_us())
    return [
        bundle.export(store, alert_id, out / f"evidence-{each}.zip", key, maker, each).path
        for each in PROFILES
    ]
