"""A report drafted from a case of the store, for `txmon report`: options before settings.

The drafting is `txmon.filing`'s; the store is read beside a running service.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from txmon.cli.storeplace import places_of
from txmon.clock import SystemClock
from txmon.errors import ConfigError
from txmon.filing.drafts import draft_of_case
from txmon.filing.records import Wanted
from txmon.reports.model import Report
from txmon.settings import load


@dataclass(frozen=True)
class CaseSources:
    """What the options say; what they leave out comes from the settings."""

    jurisdiction: str
    form: str
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
    asked = {
        "store": said.store,
        "settings": said.settings,
        "filer_file": said.filer,
        "records_dir": said.records,
    }
    chosen = load(os.environ, asked)
    if chosen.filer_file is None:
        raise ConfigError(
            f"{case_id!r} is no file, and a report of a case needs to know who files; name the file by "
            "--filer or TXMON_FILER_FILE (docs/filer.md)"
        )
    with places_of(said.store, said.settings).open(read_only=True) as store:
        return draft_of_case(
            store,
            chosen,
            case_id,
            number=said.number,
            now_us=SystemClock().now_us(),
            wanted=Wanted(said.jurisdiction or None, (said.form,) if said.form else ()),
        )
