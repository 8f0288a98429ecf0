"""Drafts of reports as the settings say: who files, where the records, the rates and the checklist are.

Owns nothing but the way from settings to `txmon.filing.fromcase`; the files are read anew for each draft, so
that a changed one counts at once.
"""

from __future__ import annotations

from txmon.errors import ConfigError
from txmon.filing.caserecord import moment
from txmon.filing.fromcase import Sources, report_of_case
from txmon.filing.records import RecordBook, Wanted, read_institution
from txmon.model.keys import PanKey, load_key
from txmon.model.rates import load_rates
from txmon.reports.model import Report
from txmon.settings import Settings
from txmon.store import Store


def draft_of_case(
    store: Store,
    settings: Settings,
    case_id: str,
    *,
    number: str,
    now_us: int,
    wanted: Wanted,
) -> Report:
    """Return the report of a case.

    Args:
        number: the report's own; empty: made of the case's id.
        wanted: which entry of the filer's file.

    Raises:
        ConfigError: no filer's file is named, or one of the files is wrong. And as `report_of_case`.
    """
    if settings.filer_file is None:
        raise ConfigError(
            "a report of a case needs to know who files; name the file by TXMON_FILER_FILE (docs/filer.md)"
        )
    institution = read_institution(settings.filer_file, wanted)
    sources = Sources(
        institution=institution,
        records=RecordBook(settings.records_dir),
        rates=load_rates(settings.rates_file, institution.local_currency),
        signs=settings.signs_file,
        key=_key_of(settings),
    )
    own = number or f"{institution.jurisdiction}-{case_id.removeprefix('cas_')}"
    return report_of_case(store, case_id, sources, report_id=own, now=moment(now_us))


def _key_of(settings: Settings) -> PanKey | None:
    """Return the key of hashes; None where its file cannot be read: then a mark stands in their place."""
    try:
        return load_key(settings.key_file)
    except ConfigError:
        return None
