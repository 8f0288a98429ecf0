"""What the vault knows of a report beside its model: state, people, times, links; as JSON, in and out.

Owns the shape. What the lists need of the model (kind, jurisdiction, clocks) is copied here at every change,
so that no model is opened for a list.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from txmon.reports.model import Report
from txmon.vault.states import Standing

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Head:
    """See the module. Times are UTC microseconds; people are ids of persons.

    authors: whoever drafted, edited or signed it, ever. barred: who was a party of the case when it was
    drafted. files: what was written at each release, `round` being the version that was released.
    """

    report_id: str
    version: int
    state: str
    case_id: str
    mode: str  # of the case: live | test
    entity: str
    formats: tuple[str, ...]
    created_us: int
    changed_us: int
    drafted_by: str
    authors: tuple[str, ...]
    editors: tuple[str, ...] = ()
    barred: tuple[str, ...] = ()
    # of the model
    kind: str = "initial"
    jurisdiction: str = ""
    mark: str = ""
    known_us: int | None = None
    known_subject: bool = False
    # what was done
    signed_by: str | None = None
    signed_us: int | None = None
    submitted_by: str | None = None
    submitted_us: int | None = None
    released_by: str | None = None
    released_us: int | None = None
    reviewed_us: int | None = None
    continued_us: int | None = None  # when a report on what goes on was begun
    returned: Mapping[str, Any] | None = None
    no_file: Mapping[str, Any] | None = None
    prior: Mapping[str, Any] | None = None
    next: tuple[str, ...] = ()
    authority_id: str | None = None
    acknowledgements: tuple[Mapping[str, Any], ...] = ()
    sent: tuple[Mapping[str, Any], ...] = ()
    files: tuple[Mapping[str, Any], ...] = ()

    @property
    def standing(self) -> Standing:
        """As the table of states asks for it."""
        waits = self.no_file is not None and self.no_file["state"] == "proposed"
        proposer = self.no_file["proposed_by"] if waits and self.no_file is not None else None
        return Standing(self.state, frozenset(self.authors), proposer)

    def of_model(self, report: Report) -> Head:
        """Return the head with what it repeats of the model."""
        known = report.facts_known_at
        return replace(
            self,
            kind=report.kind.value,
            jurisdiction=report.jurisdiction,
            mark=report.mark,
            known_us=None if known is None else micros(known.at),
            known_subject=bool(report.nameable_subjects),
        )

    def by(self, person: str) -> Head:
        """Return the head with somebody among the authors."""
        return replace(self, authors=tuple(dict.fromkeys((*self.authors, person))))

    def dumps(self) -> bytes:
        """Return the head as JSON."""
        return json.dumps(dataclasses.asdict(self), separators=(",", ":")).encode()

    @classmethod
    def loads(cls, content: bytes) -> Head:
        """Return the head of a JSON text that `dumps` wrote."""
        found: dict[str, Any] = json.loads(content)
        values: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in found.items()}
        return cls(**values)


def micros(moment: datetime) -> int:
    """Return a moment in microseconds since the epoch."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment(time_us: int) -> datetime:
    """Return a time in microseconds as a moment."""
    return _EPOCH + timedelta(microseconds=time_us)
