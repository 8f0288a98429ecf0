"""A report drafted from a case of the store, for `txmon report`: where everything it needs lies.

Owns finding the store, the filer's file, the records and the rates by options and settings; the drafting is
`txmon.filing.fromcase`'s. The store is read beside a running service.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from txmon.cli.storeplace import places_of
from txmon.clock import SystemClock
from txmon.errors import ConfigError
from txmon.filing.caserecord import moment
from txmon.filing.fromcase import Sources, report_of_case
from txmon.filing.records import RecordBook, read_institution
from txmon.model.rates import load_rates
from txmon.reports.model import Report
from txmon.settings import load


@dataclass(frozen=True)
class CaseSources:
    """What the options say; what they leave out comes from the settings."""

    jurisdiction: str
    number: str
    filer: Path | None
    records: Path | None
    store: str | None
    settings: Path | None


def drafted(case_id: str, said: CaseSources) -> Report:
    """Return the report of a case.

    Raises:
        ConfigError: no filer's file is named, or one of the files is wrong. NotFound: no such case.
    """
    chosen = load(os.environ, {"store": said.store, "settings": said.settings})
    filer = said.filer or chosen.filer_file
    if filer is None:
        raise ConfigError(
            f"{case_id!r} is no file, and a report of a case needs to know who files; name the file by "
            "--filer or TXMON_FILER_FILE (docs/filer.md)"
        )
    institution = read_institution(filer, said.jurisdiction or None)
    sources = Sources(
        institution=institution,
        records=RecordBook(said.records or chosen.records_dir),
        rates=load_rates(chosen.rates_file, institution.local_currency),
        signs=chosen.signs_file,
    )
    number = said.number or f"{institution.jurisdiction}-{case_id.removeprefix('cas_')}"
    with places_of(said.store, said.settings).open(read_only=True) as store:
        return report_of_case(store, case_id, sources, report_id=number, now=moment(SystemClock().now_us()))
