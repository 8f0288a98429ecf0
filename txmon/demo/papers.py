"""The demo's papers: reports of the case for three authorities, and bundles of its evidence.

The institution and its records are invented and the events are simulated, so every report carries SIMULATED
and no transport takes it. Owns the names of the files; drafting, writing and proving are done where they
always are.
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
from txmon.filing.caserecord import moment
from txmon.filing.fromcase import Sources, report_of_case
from txmon.filing.records import RecordBook, read_institution
from txmon.model.rates import COLUMNS, MAX_AGE_DAYS, load_rates
from txmon.reports import checks, formats
from txmon.reports.formats import Options
from txmon.simulate.records import write_records
from txmon.store import Store

# format -> jurisdiction, file
REPORTS = {"goaml": ("AE", "goaml.xml"), "fincen": ("US", "fincen.xml"), "fintrac": ("CA", "fintrac.json")}
PROFILES = ("internal", "court")
FILER, RECORDS, RATES = "filer.json", "records", "rates.csv"
KEY, PUBLIC_KEY = "evidence.key", "evidence-key.pem"
# what one euro is worth here: rounded, invented, the same every day; real rates come with the settings
_EURO = {"AED": "4.0", "USD": "1.1", "CAD": "1.5"}


def prepare(out: Path, events: Path, days: tuple[date, date]) -> None:
    """Write what the institution would have: who it is, records of its customers, exchange rates.

    Raises:
        ConfigError: a file cannot be written.
    """
    write_records(events, out / RECORDS)
    try:
        (out / FILER).write_text(
            files("txmon.demo").joinpath("data", "institution.json").read_text("utf-8"), encoding="utf-8"
        )
        with (out / RATES).open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(COLUMNS)
            day, last = days
            while day <= last + timedelta(days=MAX_AGE_DAYS):
                rows.writerows((day.isoformat(), "EUR", base, rate) for base, rate in _EURO.items())
                day += timedelta(days=MAX_AGE_DAYS)
    except OSError as error:
        raise ConfigError(f"cannot write below {out}: {error.strerror}; choose another --out") from error


def sources(out: Path, jurisdiction: str) -> Sources:
    """Return what a report for a jurisdiction needs besides the case.

    Raises:
        ConfigError: a file of `prepare` is not there any more.
    """
    institution = read_institution(out / FILER, jurisdiction)
    rates = load_rates(out / RATES, institution.local_currency)
    return Sources(institution=institution, records=RecordBook(out / RECORDS), rates=rates)


def reports(store: Store, case_id: str, out: Path, clock: Clock) -> list[Path]:
    """Write the report of the case in each format; returns the files.

    Raises:
        as `report_of_case`. ReportIncomplete: a field is missing or wrong.
    """
    made = []
    for form, (jurisdiction, name) in REPORTS.items():
        number = f"SIM-{jurisdiction}-{case_id.removeprefix('cas_')}"
        now = moment(clock.now_us())
        report = report_of_case(store, case_id, sources(out, jurisdiction), report_id=number, now=now)
        made.append(_put(out / name, checks.write(report, formats.get(form), Options())))
    return made


def bundles(store: Store, alert_id: str, out: Path, clock: Clock) -> list[Path]:
    """Write bundles of the alert's evidence, signed with a key made for this demonstration.

    Raises:
        as `txmon.evidence.bundle.export`.
    """
    for old in (out / KEY, *(out / f"evidence-{each}.zip" for each in PROFILES)):
        old.unlink(missing_ok=True)
    key = signing.make_key(out / KEY, random_bytes)
    _put(out / PUBLIC_KEY, signing.public_pem(key))
    maker = Maker("Ana", "a demonstration", clock.now_us())
    return [
        bundle.export(store, alert_id, out / f"evidence-{each}.zip", key, maker, each).path
        for each in PROFILES
    ]


def _put(path: Path, data: bytes) -> Path:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}; choose another --out") from error
    return path
